import { CacheGraph } from '@loam/contracts';
import { Type } from 'typebox';

import { presentNode } from '../../presenters/cache.ts';
import type { Route } from '../app.ts';

const Query = Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 20_000, default: 5_000 })),
  search: Type.Optional(Type.String({ maxLength: 200, description: 'In the op, or the beginning of the id.' })),
});

export const listCache: Route = (app, { services }) => {
  app.get(
    '/api/v1/cache',
    {
      schema: {
        tags: ['cache'],
        summary: 'The cache graph: every snapshot that some agent holds',
        querystring: Query,
        response: { 200: CacheGraph },
      },
    },
    async ({ query }) => {
      const limit = query.limit ?? 5_000;
      const found = await services.db.cache.graph({
        limit: limit + 1,
        ...(query.search ? { search: query.search } : {}),
      });
      const steps = found.slice(0, limit);
      const replicas = await services.db.cache.replicasOf(steps.map((step) => step.id));
      const byStep = Map.groupBy(replicas, (replica) => replica.stepId);
      return {
        nodes: steps.map((step) => presentNode(step, byStep.get(step.id) ?? [])),
        truncated: found.length > limit,
      };
    },
  );
};
