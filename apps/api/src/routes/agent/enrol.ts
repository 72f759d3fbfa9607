import { EnrolAgent, EnrolledAgent } from '@loam/contracts';
import { LoamError } from '@loam/base';

import { hashToken, mintToken } from '../../plugins/services/tokens.ts';
import type { Route } from '../app.ts';
import { guessLimit } from '../session/guess-limit.ts';

export const enrolAgent: Route = (app, { services }) => {
  app.post(
    '/api/v1/agent/enrol',
    {
      config: { auth: 'nobody', ...guessLimit },
      schema: {
        tags: ['agent'],
        summary: 'Turn an enrolment token into an agent with a credential of its own',
        security: [],
        body: EnrolAgent,
        response: { 201: EnrolledAgent },
      },
    },
    async (request, reply) => {
      const { token, name, slots } = request.body;
      const { token: credential, hash } = mintToken('agent');
      const agentId = services.ids.next('agent');
      const pool = await services.db.agents.enrol(
        { id: agentId, name, credentialHash: hash, slots: slots ?? null },
        hashToken(token),
        services.access.audit(`agent ${name}`, 'agent.enrolled', agentId),
      );
      if (pool === undefined) throw LoamError.of('api.enrolment-refused', {});
      services.bus.publish('agent', { id: agentId, pool });
      return reply.code(201).send({ agentId, credential, pool });
    },
  );
};
