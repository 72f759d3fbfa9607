import { LoamError } from '@loam/base';
import { AgentDoctor, DoctorRequested } from '@loam/contracts';

import { IdParams, type Route } from '../app.ts';
import { requireAgent } from './get.ts';

export const getAgentDoctor: Route = (app, { services }) => {
  app.get(
    '/api/v1/agents/:id/doctor',
    {
      schema: {
        tags: ['agents'],
        summary: "The last report of an agent's doctor",
        description:
          'Agents examine their host at their start, every hour, and when they are asked to. Null before that.',
        params: IdParams,
        response: { 200: AgentDoctor },
      },
    },
    async ({ params: { id } }) => {
      await requireAgent(services, id);
      return { report: (await services.db.agents.doctorReport(id)) ?? null };
    },
  );
};

export const requestAgentDoctor: Route = (app, { services }) => {
  app.post(
    '/api/v1/agents/:id/doctor',
    {
      schema: {
        tags: ['agents'],
        summary: 'Have an agent examine its host now',
        description: 'Its report comes within a minute; `doctor.at` of the agent tells when it is there.',
        params: IdParams,
        response: { 202: DoctorRequested },
      },
    },
    async ({ params: { id } }, reply) => {
      const { name, state } = await requireAgent(services, id);
      if (state === 'offline' || state === 'revoked') throw LoamError.of('api.agent-offline', { name });
      const requestedAt = services.clock.now();
      services.bus.publish('doctor', { agentId: id });
      return reply.code(202).send({ requestedAt });
    },
  );
};
