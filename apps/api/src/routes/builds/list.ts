import { LoamError } from '@loam/base';
import { BuildSummary, ListBuildsQuery, Page } from '@loam/contracts';

import type { Route } from '../app.ts';

export const listBuilds: Route = (app, { services }) => {
  app.get(
    '/api/v1/builds',
    {
      schema: {
        tags: ['builds'],
        summary: 'List builds, newest first',
        querystring: ListBuildsQuery,
        response: { 200: Page(BuildSummary) },
      },
    },
    async ({ query }) => {
      const limit = query.limit ?? 50;
      // One more than asked for tells whether there is a page after this one.
      const rows = await services.db.builds.list({
        limit: limit + 1,
        ...(query.state === undefined ? {} : { state: query.state }),
        ...(query.pool === undefined ? {} : { pool: query.pool }),
        ...(query.search ? { search: query.search } : {}),
        ...(query.cursor === undefined ? {} : { after: readCursor(query.cursor) }),
      });
      const page = rows.slice(0, limit);
      const last = page.at(-1);
      return {
        items: await services.views.summaries(page),
        next: rows.length > limit && last !== undefined ? writeCursor(last) : null,
      };
    },
  );
};

function writeCursor(row: { createdAt: number; id: string }): string {
  return Buffer.from(`${row.createdAt} ${row.id}`).toString('base64url');
}

function readCursor(cursor: string): { createdAt: number; id: string } {
  const match = /^(\d{1,15}) (bld_[0-9a-z]+)$/.exec(Buffer.from(cursor, 'base64url').toString());
  if (match === null) throw LoamError.of('api.bad-cursor', {});
  return { createdAt: Number(match[1]), id: match[2] as string };
}
