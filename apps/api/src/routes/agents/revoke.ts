import { LoamError } from '@loam/base';
import { Agent } from '@loam/contracts';

import { actorOf } from '../../plugins/auth.ts';
import { IdParams, type Route } from '../app.ts';
import { requireAgent } from './get.ts';

export const revokeAgent: Route = (app, { services }) => {
  app.post(
    '/api/v1/agents/:id/revoke',
    {
      schema: {
        tags: ['agents'],
        summary: "Revoke an agent's credential",
        description: 'At once: its link is closed and its attempts are given to others. It can be enrolled anew.',
        params: IdParams,
        response: { 200: Agent },
      },
    },
    async (request) => {
      const { id } = request.params;
      const { db, access, bus, releaser } = services;
      if (!(await db.agents.revoke(id, access.audit(actorOf(request), 'agent.revoked', id)))) {
        throw LoamError.of('api.agent-unknown', { id });
      }
      bus.publish('revoked', { agentId: id });
      await releaser.lose((await db.attempts.live({ agentId: id })).map((attempt) => attempt.id));
      const agent = await requireAgent(services, id);
      bus.publish('agent', { id, pool: agent.pool });
      return agent;
    },
  );
};
