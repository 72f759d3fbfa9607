import { isLoamError, LoamError } from '@loam/base';
import { CacheDeletion } from '@loam/contracts';
import type { ReplicaRow } from '@loam/db';
import { Type } from 'typebox';

import { actorOf } from '../../plugins/auth.ts';
import type { Services } from '../../plugins/services/index.ts';
import { IdParams, type Route } from '../app.ts';

interface Doomed {
  readonly id: string;
  readonly op: string;
  readonly replicas: readonly ReplicaRow[];
}

export const deleteCacheNode: Route = (app, { services }) => {
  app.delete(
    '/api/v1/cache/:id',
    {
      schema: {
        tags: ['cache'],
        summary: 'Delete a step and all that stands on it, on every agent',
        description: 'What a build uses just now stays. With `dryRun`, only tells what would go.',
        params: IdParams,
        querystring: Type.Object({ dryRun: Type.Optional(Type.Boolean({ default: false })) }),
        response: { 200: CacheDeletion },
      },
    },
    async (request) => {
      const { id } = request.params;
      const subtree = await services.db.cache.subtree(id);
      if (subtree.length === 0) throw LoamError.of('api.step-unknown', { id });
      const doomed = subtree.filter((step) => step.replicas.length > 0);
      const agentIds = [...new Set(doomed.flatMap((step) => step.replicas.map((replica) => replica.agentId)))];
      const away = agentIds.filter((agentId) => services.gateway.link(agentId) === undefined);
      const pendingAgents = away.map((agentId) => nameOf(doomed, agentId));
      if (request.query.dryRun === true) return { dryRun: true, ...sum(doomed, () => true), pendingAgents };

      await services.db.access.audit(
        services.access.audit(actorOf(request), 'cache.deleted', id, { steps: doomed.length }),
      );
      const gone = new Set<string>();
      await services.db.cache.markToRemove(
        doomed.map((step) => step.id),
        away,
        services.clock.now(),
      );
      // Away from this process: another one of the farm may have their links.
      for (const agentId of away) services.bus.publish('remove', { agentId });
      const here = agentIds.filter((agentId) => !away.includes(agentId));
      const outcomes = await Promise.allSettled(here.map((agentId) => removeFrom(services, agentId, doomed)));
      outcomes.forEach((outcome, i) => {
        const agentId = here[i] as string;
        if (outcome.status === 'fulfilled') for (const step of outcome.value) gone.add(`${agentId} ${step}`);
      });
      const failure = outcomes.find((outcome) => outcome.status === 'rejected');
      if (failure !== undefined && gone.size === 0 && away.length === 0) throw failure.reason;
      for (const agentId of here) services.bus.publish('agent', { id: agentId, pool: '' });
      return {
        dryRun: false,
        ...sum(doomed, (step, agentId) => gone.has(`${agentId} ${step}`)),
        pendingAgents,
      };
    },
  );
};

/** Has one agent remove its replicas, children first; those that are gone. */
async function removeFrom(services: Services, agentId: string, doomed: readonly Doomed[]): Promise<string[]> {
  const link = services.gateway.link(agentId);
  if (link === undefined) throw LoamError.of('api.agent-gone', { name: nameOf(doomed, agentId) });
  const steps = doomed
    .filter((step) => step.replicas.some((replica) => replica.agentId === agentId))
    .map((step) => step.id);
  try {
    const answer = await link.request(
      { type: 'remove', requestId: services.ids.next('audit'), steps },
      services.timing.requestMs,
    );
    const gone = answer.type === 'removed' ? answer.steps : [];
    await services.db.cache.removed(agentId, gone);
    if (gone.length === 0 && answer.error !== undefined) throw LoamError.fromPublic(answer.error);
    return gone;
  } catch (error) {
    // It left in the middle: what it still has goes when it comes back, and its inventory then tells what that is.
    if (isLoamError(error, 'api.agent-gone', 'api.agent-silent')) {
      await services.db.cache.markToRemove(steps, [agentId], services.clock.now());
    }
    throw error;
  }
}

function sum(
  doomed: readonly Doomed[],
  counts: (stepId: string, agentId: string) => boolean,
): Pick<CacheDeletion, 'steps' | 'freedBytes'> {
  const steps: CacheDeletion['steps'] = [];
  let freedBytes = 0;
  for (const { id, op, replicas } of doomed) {
    const going = replicas.filter((replica) => counts(id, replica.agentId));
    if (going.length === 0) continue;
    const sizes = going.map((replica) => replica.sizeBytes ?? 0);
    freedBytes += sizes.reduce((total, size) => total + size, 0);
    steps.push({ id, op, sizeBytes: Math.max(...sizes) });
  }
  return { steps, freedBytes };
}

function nameOf(doomed: readonly Doomed[], agentId: string): string {
  for (const { replicas } of doomed) {
    const replica = replicas.find((candidate) => candidate.agentId === agentId);
    if (replica !== undefined) return replica.agentName;
  }
  return agentId;
}
