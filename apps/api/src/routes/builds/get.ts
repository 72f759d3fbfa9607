import { LoamError } from '@loam/base';
import { Build } from '@loam/contracts';

import { IdParams, type Route } from '../app.ts';

export const getBuild: Route = (app, { services }) => {
  app.get(
    '/api/v1/builds/:id',
    {
      schema: {
        tags: ['builds'],
        summary: 'A build with its attempts and steps',
        params: IdParams,
        response: { 200: Build },
      },
    },
    async ({ params: { id } }) => {
      const build = await services.views.build(id);
      if (build === undefined) throw LoamError.of('api.build-unknown', { id });
      return build;
    },
  );
};
