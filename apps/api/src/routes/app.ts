import type { IncomingMessage, ServerResponse } from 'node:http';

import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';

import { Type } from 'typebox';

import type { Config } from '../config.ts';
import type { Services } from '../plugins/services/index.ts';

/** The server as routes see it: what they take and give follows from their schemas. */
export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

export interface RouteContext {
  readonly services: Services;
  readonly config: Pick<Config, 'publicUrl' | 'trustedProxies' | 'publicCaFile' | 'webDirectory' | 'packagesDirectory'>;
}

export const IdParams = Type.Object({ id: Type.String({ maxLength: 100 }) });

/** Adds one endpoint. */
export type Route = (app: App, context: RouteContext) => void;
