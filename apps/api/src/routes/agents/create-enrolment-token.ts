import { CreateEnrolmentToken, EnrolmentToken } from '@loam/contracts';

import { actorOf } from '../../plugins/auth.ts';
import { mintToken } from '../../plugins/services/tokens.ts';
import type { Route } from '../app.ts';

const ttlMsDefault = 3_600_000;

export const createEnrolmentToken: Route = (app, { services, config }) => {
  app.post(
    '/api/v1/enrolment-tokens',
    {
      schema: {
        tags: ['agents'],
        summary: 'Make a token that enrols one agent',
        description: 'It is shown once. The pool comes into being with its first token.',
        body: CreateEnrolmentToken,
        response: { 201: EnrolmentToken },
      },
    },
    async (request, reply) => {
      const { pool, ttlMs = ttlMsDefault } = request.body;
      const { token, hash } = mintToken('enrolment');
      const id = services.ids.next('enrolmentToken');
      const actor = actorOf(request);
      const entry = services.access.audit(actor, 'enrolment-token.created', id, { pool });
      const expiresAt = entry.at + ttlMs;
      const row = { id, hash, pool, createdBy: actor, createdAt: entry.at, expiresAt };
      await services.db.agents.createEnrolmentToken(row, entry);
      const url = config.publicUrl ?? `${request.protocol}://${request.headers.host ?? request.hostname}`;
      const line = `enrol --url ${url} --token ${token}`;
      return reply.code(201).send({
        id,
        token,
        pool,
        expiresAt,
        commands: { linux: `sudo loam-agent ${line}`, windows: `loam-agent.exe ${line}` },
      });
    },
  );
};
