import { LoamError } from '@loam/base';
import { Build } from '@loam/contracts';

import { actorOf } from '../../plugins/auth.ts';
import { IdParams, type Route } from '../app.ts';

export const cancelBuild: Route = (app, { services }) => {
  app.post(
    '/api/v1/builds/:id/cancel',
    {
      schema: {
        tags: ['builds'],
        summary: 'Cancel a build',
        description:
          'A queued build is cancelled at once. A running one ends when its agent has stopped it: follow `state`.',
        params: IdParams,
        response: { 200: Build },
      },
    },
    async (request) => {
      const { id } = request.params;
      const { db, access, bus, clock } = services;
      const outcome = await db.builds.cancel(id, clock.now(), access.audit(actorOf(request), 'build.cancelled', id));
      if (outcome === 'unknown') throw LoamError.of('api.build-unknown', { id });
      if (outcome === 'ended') throw LoamError.of('api.build-ended', { id });
      if (outcome === 'requested') {
        for (const attempt of await db.attempts.live({ buildId: id })) {
          bus.publish('cancel', { agentId: attempt.agentId, attemptId: attempt.id });
        }
      }
      bus.publish('build', { id });
      const build = await services.views.build(id);
      if (build === undefined) throw LoamError.of('api.build-unknown', { id });
      return build;
    },
  );
};
