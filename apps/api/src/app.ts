import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';

import rateLimit from '@fastify/rate-limit';
import { TypeBoxValidatorCompiler, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import websocket from '@fastify/websocket';
import { LoamError } from '@loam/base';
import { fastify, LogController, type FastifyBaseLogger, type FastifyReply, type FastifyRequest } from 'fastify';

import { auth } from './plugins/auth.ts';
import { answer, errors, translate } from './plugins/errors.ts';
import { openapi } from './plugins/external/openapi.ts';
import type { App, RouteContext } from './routes/app.ts';
import { routes } from './routes/index.ts';
import { version } from './version.ts';

export interface AppOptions extends RouteContext {
  readonly log: FastifyBaseLogger;
}

/** The largest message of an agent or a viewer: an inventory of some 200,000 snapshots. */
const messageBytesMax = 32 * 1024 * 1024;

/** The server without a socket: `main.ts` listens, tests inject. */
export async function buildApp(options: AppOptions): Promise<App> {
  const { services } = options;
  const app: App = fastify<Server, IncomingMessage, ServerResponse, FastifyBaseLogger>({
    loggerInstance: options.log,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => `req_${randomUUID()}`,
    bodyLimit: 8 * 1024 * 1024,
    forceCloseConnections: true,
    trustProxy: [...options.config.trustedProxies],
    routerOptions: { maxParamLength: 200 },
    // What fails before there is a route never meets the error handler.
    frameworkErrors: (thrown: unknown, request: FastifyRequest, reply: FastifyReply) =>
      void answer(translate(thrown), request, reply),
  } as never).withTypeProvider<TypeBoxTypeProvider>() as unknown as App;
  app.setValidatorCompiler(TypeBoxValidatorCompiler as never);
  // Nothing here reads plain text: left to Fastify, it would come as a body that "must be an object".
  app.removeContentTypeParser('text/plain');
  // Blobs are handed on as they come, never held in memory.
  app.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload));
  await app.register(errors);
  // A route that says what its body is wants JSON; those of blobs say nothing, and take the bytes as they come.
  app.addHook('preValidation', async ({ routeOptions, body }) => {
    if (routeOptions.schema?.body !== undefined && body instanceof Readable)
      throw LoamError.of('api.unsupported-body', {});
  });
  await app.register(rateLimit, { global: false });
  await app.register(websocket, { options: { maxPayload: messageBytesMax } });
  await app.register(openapi, { version });
  await app.register(auth, { access: services.access });
  for (const route of routes) route(app, options);
  await app.ready();
  return app;
}
