import swagger from '@fastify/swagger';
import { Problem } from '@loam/contracts';
import fastifyPlugin from 'fastify-plugin';

/** Describes every route from its schemas. Adds to each what it answers when it refuses. */
export const openapi = fastifyPlugin<{ version: string }>(async (app, { version }) => {
  app.addSchema(Problem);
  app.addHook('onRoute', (route) => {
    if (!route.url.startsWith('/api/') || route.schema === undefined) return;
    const problem = {
      description: 'A problem document: `code` is stable, `remedy` says what to do.',
      content: { 'application/problem+json': { schema: { $ref: 'Problem#' } } },
    };
    route.schema = {
      ...route.schema,
      response: { ...(route.schema.response as object), '4xx': problem, '5xx': problem },
    };
  });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Loam',
        version,
        description: 'A build farm for Windows containers, and for Linux ones beside them.',
      },
      components: {
        securitySchemes: {
          token: { type: 'http', scheme: 'bearer', description: 'An API token, `loam_…`.' },
          session: { type: 'apiKey', in: 'cookie', name: 'loam_session' },
          agent: { type: 'http', scheme: 'bearer', description: "An agent's credential." },
        },
      },
      security: [{ token: [] }, { session: [] }],
    },
    refResolver: {
      buildLocalReference: (json, _base, _fragment, index) =>
        typeof json.$id === 'string' ? json.$id : `def-${index}`,
    },
  });
});
