import type { Readable } from 'node:stream';

import { LoamError } from '@loam/base';
import { batchedBlobBytesMax, blobBatchBytesMax } from '@loam/contracts';
import type { BlobRow } from '@loam/db';
import { Type } from 'typebox';

import type { Route } from '../app.ts';

/** So many are being written at a time. */
const parallel = 16;
/** `sha256:`, 64 digits, a space, a size and a line feed. */
const headerBytesMax = 96;
const header = /^(sha256:[0-9a-f]{64}) (\d{1,9})$/;

export const postBlobs: Route = (app, { services }) => {
  app.post(
    '/api/v1/blobs',
    {
      bodyLimit: blobBatchBytesMax,
      schema: {
        tags: ['contexts'],
        summary: 'Upload the contents of many small files',
        description: `The body, \`application/octet-stream\`, is for each file its digest, a space, its size in bytes, a line feed, and its bytes: files up to ${batchedBlobBytesMax} bytes, ${blobBatchBytesMax} bytes in all. Uploading them again changes nothing.`,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const body = request.body as Readable | undefined;
      if (body === undefined || typeof body.pipe !== 'function') throw LoamError.of('api.unsupported-body', {});
      const now = services.clock.now();
      const stored = new Map<string, BlobRow>();
      let writing: Promise<void>[] = [];
      const written = async (): Promise<void> => {
        const results = await Promise.allSettled(writing);
        writing = [];
        const failure = results.find((result) => result.status === 'rejected');
        if (failure !== undefined) throw failure.reason;
      };
      try {
        for await (const { digest, bytes } of framesOf(body)) {
          const put = async (): Promise<void> => {
            await services.blobs.putBytes(bytes, digest);
            stored.set(digest, { digest, sizeBytes: bytes.length, createdAt: now, lastUsedAt: now });
          };
          writing.push(put());
          if (writing.length >= parallel) await written();
        }
      } finally {
        // Also after a failure what is stored is noted, so that it need not be sent again.
        try {
          await written();
        } finally {
          await services.db.contexts.addBlobs([...stored.values()]);
        }
      }
      return reply.code(204).send(null);
    },
  );
};

/** Takes a body apart as it comes. */
async function* framesOf(body: Readable): AsyncGenerator<{ digest: string; bytes: Buffer }> {
  let rest: Buffer = Buffer.alloc(0);
  let total = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    total += chunk.length;
    if (total > blobBatchBytesMax) throw LoamError.of('api.too-large', { limit: blobBatchBytesMax });
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (;;) {
      const end = rest.subarray(0, headerBytesMax).indexOf(0x0a);
      if (end === -1 && rest.length < headerBytesMax) break;
      const match = end === -1 ? null : header.exec(rest.toString('latin1', 0, end));
      if (match === null) throw LoamError.of('api.bad-blobs', { reason: 'no digest and size stand where they should' });
      const size = Number(match[2]);
      if (size > batchedBlobBytesMax) {
        throw LoamError.of('api.bad-blobs', { reason: `one has more than ${batchedBlobBytesMax} bytes` });
      }
      if (rest.length < end + 1 + size) break;
      yield { digest: match[1] as string, bytes: rest.subarray(end + 1, end + 1 + size) };
      rest = rest.subarray(end + 1 + size);
    }
  }
  if (rest.length > 0) throw LoamError.of('api.bad-blobs', { reason: 'the last one is not whole' });
}
