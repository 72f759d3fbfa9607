import { LoamError } from '@loam/base';
import { Agent } from '@loam/contracts';

import type { Services } from '../../plugins/services/index.ts';
import { IdParams, type Route } from '../app.ts';

export const getAgent: Route = (app, { services }) => {
  app.get(
    '/api/v1/agents/:id',
    { schema: { tags: ['agents'], summary: 'An agent', params: IdParams, response: { 200: Agent } } },
    async ({ params: { id } }) => requireAgent(services, id),
  );
};

export async function requireAgent(services: Services, id: string): Promise<Agent> {
  const agent = await services.views.agent(id);
  if (agent === undefined) throw LoamError.of('api.agent-unknown', { id });
  return agent;
}
