import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { createIdSource, systemClock, type Clock, type IdSource } from '@loam/base';
import { openDatabase, type Database } from '@loam/db';
import { openLogStore, type LogStore } from '@loam/logs';
import { openQueue, type LoamQueue } from '@loam/queue';
import type { FastifyBaseLogger } from 'fastify';

import type { Limits, Timing } from '../../config.ts';
import { Views } from '../../presenters/views.ts';
import { Access } from './access.ts';
import { openBlobStore, type BlobStore } from './blob-store.ts';
import { localBus, relayBus, type Bus } from './bus.ts';
import { Dispatcher } from './dispatcher.ts';
import { Gateway } from './gateway/gateway.ts';
import { Releaser } from './gateway/releaser.ts';
import { Janitor } from './janitor.ts';
import { Live } from './live/live.ts';
import { newTally, type Tally } from './tally.ts';
import { openSealer, type Sealer } from './sealer.ts';

export interface ServiceOptions {
  /** Of a database that has been migrated. */
  readonly databaseUrl: string;
  readonly queueUrl: string;
  readonly dataDirectory: string;
  /** The farm lives in this one process: no other API needs to hear what happens here. */
  readonly isAlone: boolean;
  readonly limits: Limits;
  readonly timing: Timing;
  readonly log: FastifyBaseLogger;
  readonly clock?: Clock;
}

/** Everything that routes work with. */
export interface Services {
  readonly db: Database;
  readonly queue: LoamQueue;
  readonly logs: LogStore;
  readonly blobs: BlobStore;
  readonly sealer: Sealer;
  readonly bus: Bus;
  readonly access: Access;
  readonly gateway: Gateway;
  readonly releaser: Releaser;
  readonly dispatcher: Dispatcher;
  readonly janitor: Janitor;
  readonly live: Live;
  readonly views: Views;
  readonly tally: Tally;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly limits: Limits;
  readonly timing: Timing;
  readonly isAlone: boolean;
  /** Begins the work that nobody asks for: housekeeping. */
  start(): Promise<void>;
  close(): Promise<void>;
}

export async function openServices(options: ServiceOptions): Promise<Services> {
  const { limits, timing, log, isAlone } = options;
  const clock = options.clock ?? systemClock;
  const ids = createIdSource(clock);
  await mkdir(options.dataDirectory, { recursive: true, mode: 0o700 });
  const sealer = await openSealer(join(options.dataDirectory, 'secrets.key'));
  const blobs = await openBlobStore(join(options.dataDirectory, 'blobs'), limits.blobBytes, clock);
  const logs = openLogStore({ directory: join(options.dataDirectory, 'logs') });
  const db = openDatabase(options.databaseUrl);
  const queue = await openQueue({ url: options.queueUrl, clock, logger: log });
  const bus = isAlone ? localBus() : relayBus(queue.relay);
  const views = new Views(db, clock, timing.heartbeatMs);
  const tally = newTally();
  const access = new Access({ db, clock, ids });
  const releaser: Releaser = new Releaser({
    db,
    logs,
    bus,
    clock,
    limits,
    timing,
    log,
    tally,
    isLinked: (agentId) => gateway.link(agentId) !== undefined,
    drop: (agentId, attemptId) => gateway.drop(agentId, attemptId),
  });
  const gateway = new Gateway({ db, logs, bus, clock, ids, timing, releaser, log, tally });
  const dispatcher = new Dispatcher({ db, queue, bus, gateway, clock, ids, log });
  const janitor = new Janitor({ db, queue, blobs, bus, releaser, clock, timing, log });
  const live = new Live({ db, logs, bus, clock, source: views, log });
  return {
    db,
    queue,
    logs,
    blobs,
    sealer,
    bus,
    access,
    gateway,
    releaser,
    dispatcher,
    janitor,
    live,
    views,
    tally,
    clock,
    ids,
    limits,
    timing,
    isAlone,
    start: () => janitor.start(),
    async close() {
      live.close();
      gateway.close();
      await dispatcher.close();
      await queue.close();
      await logs.close();
      await db.close();
    },
  };
}
