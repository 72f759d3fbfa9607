import { LoamError } from '@loam/base';
import { CacheNodeDetail } from '@loam/contracts';

import { presentNode } from '../../presenters/cache.ts';
import { IdParams, type Route } from '../app.ts';

export const getCacheNode: Route = (app, { services }) => {
  app.get(
    '/api/v1/cache/:id',
    {
      schema: {
        tags: ['cache'],
        summary: 'A step with the record that its id is the hash of',
        params: IdParams,
        response: { 200: CacheNodeDetail },
      },
    },
    async ({ params: { id } }) => {
      const { cache } = services.db;
      const step = await cache.step(id);
      if (step === undefined) throw LoamError.of('api.step-unknown', { id });
      const [replicas, builds] = await Promise.all([cache.replicasOf([id]), cache.buildsOf(id)]);
      return {
        ...presentNode(step, replicas),
        record: step.record,
        firstBuildId: step.firstBuildId,
        logId: step.logId,
        builds,
      };
    },
  );
};
