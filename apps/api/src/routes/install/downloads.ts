import { isLoamError, LoamError } from '@loam/base';
import { Downloads } from '@loam/contracts';
import { Type } from 'typebox';

import type { Route } from '../app.ts';
import { sendRange } from '../byte-range.ts';
import { readAgentPackages, streamAgentPackage } from './agent-packages.ts';

/** Enough for a download that breaks off often, on several hosts behind one address. */
const downloadLimit = { rateLimit: { max: 120, timeWindow: 60_000 } };

const bytes = { description: 'The bytes.', content: { 'application/octet-stream': { schema: Type.Any() } } };

/**
 * The agent's packages. They need no token: a new host has none but the one that enrols it, which must not be spent or
 * stand in addresses and logs, and the packages hold nothing secret, only the program. Whoever wants to be sure of
 * the bytes compares the digest, which the install scripts carry.
 */
export const listDownloads: Route = (app, { config }) => {
  app.get(
    '/api/v1/downloads',
    {
      config: { auth: 'nobody' },
      schema: {
        tags: ['install'],
        summary: 'The packages of the agent that can be downloaded here',
        security: [],
        response: { 200: Downloads },
      },
    },
    async (): Promise<Downloads> => {
      try {
        const { version, files } = await readAgentPackages(config.packagesDirectory);
        const items = files.map(({ platform, name, size, sha256 }) => {
          return { platform, name, sizeBytes: size, sha256, url: `/api/v1/downloads/${name}` };
        });
        return { version, items, problem: null };
      } catch (error) {
        if (!isLoamError(error, 'api.packages-missing')) throw error;
        return { version: null, items: [], problem: error.toPublic() };
      }
    },
  );
};

export const getDownload: Route = (app, { config }) => {
  app.get(
    '/api/v1/downloads/:name',
    {
      config: { auth: 'nobody', ...downloadLimit },
      schema: {
        tags: ['install'],
        summary: 'A package of the agent',
        description:
          'Understands `Range: bytes=FROM-` and `bytes=FROM-TO` with `If-Range`, to go on where a download was cut off. ' +
          'The header `x-checksum-sha256` has the digest of the whole file in hex, `repr-digest` the same as RFC 9530 writes it.',
        security: [],
        params: Type.Object({ name: Type.String({ maxLength: 100 }) }),
        response: {
          200: bytes,
          206: bytes,
          304: Type.Null({ description: 'It is the one that `if-none-match` names.' }),
        },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const { files } = await readAgentPackages(config.packagesDirectory);
      const file = files.find((candidate) => candidate.name === name);
      if (file === undefined) throw LoamError.of('api.download-unknown', { name });
      const { size, sha256 } = file;
      const etag = `"${sha256}"`;
      void reply.headers({
        'content-type': 'application/octet-stream',
        'content-disposition': `attachment; filename="${name}"`,
        'accept-ranges': 'bytes',
        'cache-control': 'no-cache',
        etag,
        'x-checksum-sha256': sha256,
        'repr-digest': `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:`,
      });
      if (request.headers['if-none-match'] === etag) return reply.code(304).send(null);
      const asked = request.headers.range;
      const isOfOtherFile = (request.headers['if-range'] ?? etag) !== etag;
      if (asked === undefined || isOfOtherFile) {
        return reply.header('content-length', size).send(streamAgentPackage(config.packagesDirectory, file));
      }
      return sendRange(reply, asked, size, (range) => streamAgentPackage(config.packagesDirectory, file, range));
    },
  );
};
