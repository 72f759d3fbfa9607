import { LoamError } from '@loam/base';
import { Agent, UpdateAgent } from '@loam/contracts';

import { actorOf } from '../../plugins/auth.ts';
import { IdParams, type Route } from '../app.ts';
import { requireAgent } from './get.ts';

export const updateAgent: Route = (app, { services }) => {
  app.patch(
    '/api/v1/agents/:id',
    {
      schema: {
        tags: ['agents'],
        summary: 'Drain an agent, or change its slots',
        description: 'A draining agent finishes what it has and is given nothing more.',
        params: IdParams,
        body: UpdateAgent,
        response: { 200: Agent },
      },
    },
    async (request) => {
      const { id } = request.params;
      const { db, access, bus } = services;
      const entry = access.audit(actorOf(request), 'agent.updated', id, request.body);
      if (!(await db.agents.update(id, request.body, entry))) throw LoamError.of('api.agent-unknown', { id });
      bus.publish('standing', { agentId: id });
      const agent = await requireAgent(services, id);
      bus.publish('agent', { id, pool: agent.pool });
      return agent;
    },
  );
};
