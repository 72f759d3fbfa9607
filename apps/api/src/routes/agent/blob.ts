import { LoamError } from '@loam/base';
import { DigestText } from '@loam/contracts';
import { Type } from 'typebox';

import type { Route } from '../app.ts';
import { sendRange } from '../byte-range.ts';

const octets = { description: 'The bytes.', content: { 'application/octet-stream': { schema: Type.Any() } } };

export const agentBlob: Route = (app, { services }) => {
  app.get(
    '/api/v1/agent/blobs/:digest',
    {
      config: { auth: 'agent' },
      schema: {
        tags: ['agent'],
        summary: 'The content of a file of a context',
        description: 'Understands `Range: bytes=FROM-` and `bytes=FROM-TO`, to go on where a download was cut off.',
        security: [{ agent: [] }],
        params: Type.Object({ digest: DigestText }),
        response: { 200: octets, 206: octets },
      },
    },
    async (request, reply) => {
      const { digest } = request.params;
      const { db, blobs } = services;
      const row = await db.contexts.blob(digest);
      const size = row === undefined ? undefined : await blobs.size(digest);
      if (row !== undefined && size !== row.sizeBytes) {
        // The disk lost it: whoever needs it next is told to upload it again.
        await db.contexts.forgetBlob(digest);
      }
      if (row === undefined || size === undefined || size !== row.sizeBytes)
        throw LoamError.of('api.blob-unknown', { digest });
      void reply.headers({ 'content-type': 'application/octet-stream', 'accept-ranges': 'bytes', etag: `"${digest}"` });
      const asked = request.headers.range;
      if (asked === undefined) {
        return reply.header('content-length', size).send(size === 0 ? '' : blobs.stream(digest));
      }
      return sendRange(reply, asked, size, (range) => blobs.stream(digest, range));
    },
  );
};
