import { LoamError } from '@loam/base';
import { Build } from '@loam/contracts';

import { actorOf } from '../../plugins/auth.ts';
import { IdParams, type Route } from '../app.ts';
import { prepareBuild, wakeBuild } from './submission.ts';

export const retryBuild: Route = (app, { services }) => {
  app.post(
    '/api/v1/builds/:id/retry',
    {
      schema: {
        tags: ['builds'],
        summary: 'Submit an ended build again, as a new one',
        params: IdParams,
        response: { 201: Build },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { db, access } = services;
      const actor = actorOf(request);
      const old = await db.builds.get(id);
      if (old === undefined) throw LoamError.of('api.build-unknown', { id });
      if (old.state === 'queued' || old.state === 'running') throw LoamError.of('api.build-not-ended', { id });
      const named: Readonly<Record<string, string | undefined>> = old.secretNames;
      if (old.secretIds.some((secret) => named[secret] === undefined)) throw LoamError.of('api.secrets-gone', { id });
      const { build, secrets } = await prepareBuild(
        services,
        {
          spec: old.spec,
          pool: old.pool,
          priority: old.priority,
          limits: old.limits,
          refresh: old.refresh,
          secrets: Object.entries(old.secretNames).map(([secret, name]) => ({ id: secret, name })),
          ...(old.title === null ? {} : { title: old.title }),
          ...(old.context === null ? {} : { context: old.context }),
          ...(old.timeoutMs === null ? {} : { timeoutMs: old.timeoutMs }),
        },
        actor,
      );
      const retry = { ...build, retryOf: id };
      await db.builds.create(retry, {
        secrets,
        audit: access.audit(actor, 'build.retried', retry.id, { retryOf: id }),
      });
      wakeBuild(services, retry);
      const view = await services.views.build(retry.id);
      if (view === undefined) throw LoamError.of('api.build-unknown', { id: retry.id });
      return reply.code(201).header('location', `/api/v1/builds/${retry.id}`).send(view);
    },
  );
};
