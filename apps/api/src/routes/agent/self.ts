import { LoamError } from '@loam/base';
import { AgentSelf } from '@loam/contracts';

import type { Route } from '../app.ts';

export const agentSelf: Route = (app) => {
  app.get(
    '/api/v1/agent/self',
    {
      config: { auth: 'agent' },
      schema: {
        tags: ['agent'],
        summary: 'Whose credential this is',
        description: 'For an agent that wants to know whether its credential is still good.',
        security: [{ agent: [] }],
        response: { 200: AgentSelf },
      },
    },
    async ({ agent }) => {
      if (agent === null) throw LoamError.of('api.not-authenticated', {});
      return { agentId: agent.id, name: agent.name, pool: agent.pool };
    },
  );
};
