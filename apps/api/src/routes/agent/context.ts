import type { Readable } from 'node:stream';

import { LoamError } from '@loam/base';
import { ContextManifest, DigestText } from '@loam/contracts';
import { Type } from 'typebox';

import type { Route } from '../app.ts';

export const agentContext: Route = (app, { services }) => {
  app.get(
    '/api/v1/agent/contexts/:digest',
    {
      config: { auth: 'agent' },
      schema: {
        tags: ['agent'],
        summary: 'The manifest of a context',
        description: 'A `ContextManifest`, byte for byte as it was hashed.',
        security: [{ agent: [] }],
        params: Type.Object({ digest: DigestText }),
        response: { 200: Type.Unsafe<Readable>(ContextManifest) },
      },
    },
    async ({ params: { digest } }, reply) => {
      const context = await services.db.contexts.get(digest);
      const size = context === undefined ? undefined : await services.blobs.size(digest);
      if (size === undefined) throw LoamError.of('api.context-unknown', { digest });
      return reply
        .headers({ 'content-type': 'application/json; charset=utf-8', 'content-length': size })
        .send(services.blobs.stream(digest));
    },
  );
};
