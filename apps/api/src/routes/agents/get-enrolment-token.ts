import { LoamError } from '@loam/base';
import { EnrolmentTokenState } from '@loam/contracts';

import { IdParams, type Route } from '../app.ts';

export const getEnrolmentToken: Route = (app, { services }) => {
  app.get(
    '/api/v1/enrolment-tokens/:id',
    {
      schema: {
        tags: ['agents'],
        summary: 'What became of an enrolment token',
        description: 'The token itself is not told again.',
        params: IdParams,
        response: { 200: EnrolmentTokenState },
      },
    },
    async ({ params: { id } }) => {
      const row = await services.db.agents.enrolmentToken(id);
      if (row === undefined) throw LoamError.of('api.enrolment-token-unknown', { id });
      const { agentId, ...token } = row;
      const agent = agentId === null ? undefined : await services.views.agent(agentId);
      return { ...token, agent: agent ?? null };
    },
  );
};
