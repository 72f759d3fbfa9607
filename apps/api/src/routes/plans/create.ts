import { LoamError } from '@loam/base';
import { Plan, PlanRequest, type PlannedStep } from '@loam/contracts';
import { outlineSpec } from '@loam/spec';

import { requireSpec } from '../../plugins/services/read-spec.ts';
import type { Services } from '../../plugins/services/index.ts';
import type { Route } from '../app.ts';

export const createPlan: Route = (app, { services }) => {
  app.post(
    '/api/v1/plans',
    {
      schema: {
        tags: ['specs'],
        summary: 'What a build would do before it runs',
        description:
          "Asks a connected agent of the pool which steps it has. Without one, every step's state is unknown.",
        body: PlanRequest,
        response: { 200: Plan },
      },
    },
    async ({ body }) => {
      const { spec, warnings } = requireSpec(body.spec);
      const pool = body.pool ?? 'linux';
      const [link] = services.gateway.links(pool).toSorted((a, b) => a.attempts.size - b.attempts.size);
      if (link === undefined) {
        const reason = await whyNone(services, pool);
        const steps = outlineSpec(spec).map((step): PlannedStep => ({
          ...step,
          stage: [...step.stage],
          state: 'unknown',
          stepId: null,
          sizeBytes: null,
          lastDurationMs: null,
          reason,
        }));
        return { agentName: null, steps: await addDurations(services, steps), diagnostics: [...warnings] };
      }
      if (body.context !== undefined) {
        const missing = await services.db.contexts.missing(body.context, services.clock.now());
        if (missing === undefined) throw LoamError.of('api.context-unknown', { digest: body.context });
      }
      const answer = await link.request(
        {
          type: 'plan',
          requestId: services.ids.next('audit'),
          spec: body.spec,
          context: body.context ?? null,
          refresh: body.refresh ?? false,
        },
        services.timing.requestMs,
      );
      const steps = answer.type === 'planned' ? (answer.steps ?? []) : [];
      return { agentName: link.name, steps: await addDurations(services, steps), diagnostics: [...warnings] };
    },
  );
};

async function whyNone(services: Services, pool: string): Promise<string> {
  const agents = await services.views.agents();
  const isElsewhere = agents.some((agent) => agent.pool === pool && !['offline', 'revoked'].includes(agent.state));
  return isElsewhere
    ? `The agents of the pool "${pool}" are connected to another process of the API; ask that one.`
    : `No agent of the pool "${pool}" is connected.`;
}

async function addDurations(services: Services, steps: readonly PlannedStep[]): Promise<PlannedStep[]> {
  const ids = steps.flatMap((step) => step.stepId ?? []);
  const [byId, byOp] = await Promise.all([
    services.db.cache.lastDurations(ids),
    services.db.cache.lastDurationsOfOps(steps.map((step) => step.op)),
  ]);
  return steps.map((step) => ({
    ...step,
    lastDurationMs: byId.get(step.stepId ?? '') ?? step.lastDurationMs ?? byOp.get(step.op) ?? null,
  }));
}
