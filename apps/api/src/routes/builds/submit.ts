import { createHash } from 'node:crypto';

import { LoamError } from '@loam/base';
import { Build, SubmitBuild } from '@loam/contracts';
import { Type } from 'typebox';

import { actorOf } from '../../plugins/auth.ts';
import type { Route } from '../app.ts';
import { prepareBuild, wakeBuild } from './submission.ts';

const Headers = Type.Object({
  'idempotency-key': Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
});

export const submitBuild: Route = (app, { services }) => {
  app.post(
    '/api/v1/builds',
    {
      schema: {
        tags: ['builds'],
        summary: 'Submit a build',
        description:
          'Answers 201 with the build, queued. With an `Idempotency-Key`, the same request again answers 200 with the build of the first one.',
        headers: Headers,
        body: SubmitBuild,
        response: { 200: Build, 201: Build },
      },
    },
    async (request, reply) => {
      const { body } = request;
      const actor = actorOf(request);
      const { build, secrets } = await prepareBuild(services, body, actor);
      const key = request.headers['idempotency-key'];
      const created = await services.db.builds.create(build, {
        secrets,
        audit: services.access.audit(actor, 'build.submitted', build.id, { pool: build.pool }),
        ...(key === undefined ? {} : { idempotency: { actor, key, bodyHash: hashBody(body) } }),
      });
      if (created.kind === 'key-reused') throw LoamError.of('api.idempotency-key-reused', {});
      if (created.kind === 'created') wakeBuild(services, build);
      const id = created.kind === 'created' ? build.id : created.buildId;
      const view = await services.views.build(id);
      if (view === undefined) throw LoamError.of('api.build-unknown', { id });
      return reply
        .code(created.kind === 'created' ? 201 : 200)
        .header('location', `/api/v1/builds/${id}`)
        .send(view);
    },
  );
};

/** Of the request as it was parsed: layout and the order of keys do not matter. */
function hashBody(body: SubmitBuild): string {
  return createHash('sha256').update(canonical(body)).digest('hex');
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
