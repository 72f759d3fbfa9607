import { Readable } from 'node:stream';

import { LoamError } from '@loam/base';
import { Type } from 'typebox';

import { IdParams, type Route } from '../app.ts';

const Query = Type.Object({
  from: Type.Optional(Type.Integer({ minimum: 0, default: 0, description: 'First byte.' })),
  to: Type.Optional(
    Type.Integer({ minimum: 0, description: 'The byte after the last one; without it, the present end.' }),
  ),
});

export const getLog: Route = (app, { services }) => {
  app.get(
    '/api/v1/logs/:id',
    {
      schema: {
        tags: ['logs'],
        summary: 'Bytes of a log',
        description:
          'The log of a step run, as it was written. `loam-log-size` is its length now, `loam-log-ended` whether it is complete.',
        params: IdParams,
        querystring: Query,
        response: {
          200: {
            description: 'The bytes.',
            content: { 'text/plain': { schema: Type.Unsafe<string | Readable>(Type.String()) } },
          },
        },
      },
    },
    async ({ params: { id }, query }, reply) => {
      const row = await services.db.logs.get(id);
      if (row === undefined) throw LoamError.of('api.log-unknown', { id });
      const stored = await services.logs.size(id);
      const size = row.ended ? Math.min(stored, Math.max(row.sizeBytes, 0)) : stored;
      const from = query.from ?? 0;
      const to = Math.min(query.to ?? size, size);
      if (from > size || (query.to !== undefined && query.to < from)) {
        throw LoamError.of('api.bad-range', { range: `${from}-${query.to ?? ''}`, size });
      }
      return reply
        .headers({
          'content-type': 'text/plain; charset=utf-8',
          'content-length': to - from,
          'loam-log-size': size,
          'loam-log-ended': String(row.ended),
          'cache-control': 'no-store',
        })
        .send(from === to ? '' : Readable.from(services.logs.read(id, from, to), { objectMode: false }));
    },
  );
};
