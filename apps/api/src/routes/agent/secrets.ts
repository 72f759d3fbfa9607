import { LoamError } from '@loam/base';
import { AttemptSecrets, fenceHeader } from '@loam/contracts';
import type { NewBuildSecret } from '@loam/db';
import { Type } from 'typebox';

import type { Services } from '../../plugins/services/index.ts';
import { IdParams, type Route } from '../app.ts';

export const attemptSecrets: Route = (app, { services }) => {
  app.get(
    '/api/v1/agent/attempts/:id/secrets',
    {
      config: { auth: 'agent' },
      schema: {
        tags: ['agent'],
        summary: 'The secrets of an attempt that the agent holds',
        security: [{ agent: [] }],
        params: IdParams,
        headers: Type.Object({ [fenceHeader]: Type.Integer() }),
        response: { 200: AttemptSecrets },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { db, access } = services;
      const agent = request.agent;
      const [attempt] = await db.attempts.live({ attemptId: id });
      const isHolder = attempt?.agentId === agent?.id && attempt?.fence === request.headers[fenceHeader];
      if (attempt === undefined || agent === null || !isHolder) throw LoamError.of('api.attempt-stale', { id });
      const secrets = await db.builds.secrets(attempt.buildId);
      const opened = await openSecrets(services, attempt.buildId, secrets);
      await db.access.audit(
        access.audit(`agent ${agent.name}`, 'secrets.read', attempt.buildId, {
          attemptId: id,
          ids: secrets.map((secret) => secret.id),
        }),
      );
      return reply.header('cache-control', 'no-store').send({ secrets: opened });
    },
  );
};

async function openSecrets(
  services: Services,
  buildId: string,
  secrets: readonly NewBuildSecret[],
): Promise<AttemptSecrets['secrets']> {
  const kept = await services.db.access.secretsNamed(secrets.flatMap((secret) => secret.secretName ?? []));
  const byName = new Map(kept.map((secret) => [secret.name, secret.sealed]));
  return secrets.map(({ id, secretName, sealed }) => {
    const bytes = secretName === null ? sealed : byName.get(secretName);
    if (bytes === null || bytes === undefined) throw LoamError.of('api.secret-unknown', { name: secretName ?? id });
    const purpose = secretName === null ? `build ${buildId} ${id}` : `secret ${secretName}`;
    return { id, value: Buffer.from(services.sealer.open(bytes, purpose)).toString('base64') };
  });
}
