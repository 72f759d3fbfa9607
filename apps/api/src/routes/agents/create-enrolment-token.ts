import { CreateEnrolmentToken, EnrolmentToken, isPlainHttp, linuxLine, manualLine, windowsLine } from '@loam/contracts';

import { actorOf } from '../../plugins/auth.ts';
import { mintToken } from '../../plugins/services/tokens.ts';
import type { Route } from '../app.ts';
import { farmOrigin } from '../install/origin.ts';
import { readPublicCa } from '../install/public-ca.ts';

const ttlMsDefault = 3_600_000;

export const createEnrolmentToken: Route = (app, { services, config }) => {
  app.post(
    '/api/v1/enrolment-tokens',
    {
      schema: {
        tags: ['agents'],
        summary: 'Make a token that enrols one agent',
        description:
          'It is shown once, with the lines to paste on a host. The pool comes into being with its first token.',
        body: CreateEnrolmentToken,
        response: { 201: EnrolmentToken },
      },
    },
    async (request, reply) => {
      const { pool, ttlMs = ttlMsDefault, slots, isolation } = request.body;
      const url = farmOrigin(request, config);
      const ca = await readPublicCa(config.publicCaFile);
      const { token, hash } = mintToken('enrolment');
      const id = services.ids.next('enrolmentToken');
      const actor = actorOf(request);
      const entry = services.access.audit(actor, 'enrolment-token.created', id, { pool });
      const expiresAt = entry.at + ttlMs;
      const row = { id, hash, pool, createdBy: actor, createdAt: entry.at, expiresAt };
      await services.db.agents.createEnrolmentToken(row, entry);
      const parts = { url, token, slots, isolation, caSha256: ca?.sha256 ?? null };
      return reply.code(201).send({
        id,
        token,
        pool,
        expiresAt,
        url,
        isPlainHttp: isPlainHttp(url),
        commands: { linux: linuxLine(parts), windows: windowsLine(parts), manual: manualLine(parts) },
      });
    },
  );
};
