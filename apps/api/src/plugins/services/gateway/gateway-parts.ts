import type { Clock, IdSource } from '@loam/base';
import type { Database } from '@loam/db';
import type { LogStore } from '@loam/logs';
import type { FastifyBaseLogger } from 'fastify';

import type { Timing } from '../../../config.ts';
import type { Bus } from '../bus.ts';
import type { Tally } from '../tally.ts';
import type { Releaser } from './releaser.ts';

/** What the gateway works with. */
export interface GatewayParts {
  readonly db: Database;
  readonly logs: LogStore;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly timing: Timing;
  readonly releaser: Releaser;
  readonly log: FastifyBaseLogger;
  readonly tally: Tally;
}
