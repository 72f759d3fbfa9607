import type { Readable } from 'node:stream';

import { LoamError } from '@loam/base';
import { DigestText } from '@loam/contracts';
import { Type } from 'typebox';

import type { Route } from '../app.ts';

export const putBlob: Route = (app, { services }) => {
  app.put(
    '/api/v1/blobs/:digest',
    {
      bodyLimit: services.limits.blobBytes,
      schema: {
        tags: ['contexts'],
        summary: 'Upload the content of a file',
        description: 'The body, `application/octet-stream`, must have the digest. Uploading it again changes nothing.',
        params: Type.Object({ digest: DigestText }),
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const { digest } = request.params;
      const body = request.body as Readable | undefined;
      if (body === undefined || typeof body.pipe !== 'function') throw LoamError.of('api.unsupported-body', {});
      const now = services.clock.now();
      const sizeBytes = await services.blobs.put(digest, body);
      await services.db.contexts.addBlobs([{ digest, sizeBytes, createdAt: now, lastUsedAt: now }]);
      return reply.code(204).send(null);
    },
  );
};
