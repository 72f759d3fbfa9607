import { Agent } from '@loam/contracts';
import { Type } from 'typebox';

import type { Route } from '../app.ts';

export const listAgents: Route = (app, { services }) => {
  app.get(
    '/api/v1/agents',
    {
      schema: {
        tags: ['agents'],
        summary: 'List agents',
        response: { 200: Type.Object({ items: Type.Array(Agent) }) },
      },
    },
    async () => ({ items: await services.views.agents() }),
  );
};
