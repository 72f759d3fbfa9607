import { formatPlatform, type Platform } from '@loam/backend';
import { isLoamError, toLoamError, type Digest, type StepId } from '@loam/base';
import type { ContextSource } from '@loam/context';
import type { AgentFacts, DescribedStep, PlannedStep } from '@loam/contracts';
import type { CachedStep, Engine, PlanStep } from '@loam/engine';
import { outlineSpec, type Spec } from '@loam/spec';

import type { Log } from '../log.ts';
import type { Answers } from './session.ts';

export interface AnswersOptions {
  readonly engine: Engine;
  readonly parse: (text: string) => Spec;
  readonly context: (digest: Digest) => Promise<ContextSource>;
  readonly facts: () => Promise<AgentFacts>;
  readonly platform: Platform;
  readonly log: Log;
}

/** Answers what the API asks, from the engine. */
export function engineAnswers({ engine, parse, context, facts, platform, log }: AnswersOptions): Answers {
  let lastFacts: AgentFacts | undefined;
  return {
    async plan({ requestId, spec: text, context: digest, refresh }) {
      try {
        const spec = parse(text);
        const source = digest === null ? {} : { context: await context(digest as Digest) };
        const { steps } = await engine.plan(spec, { ...source, refresh });
        const stages = new Map(outlineSpec(spec).map((step) => [step.position, step.stage]));
        return {
          type: 'planned',
          requestId,
          steps: steps.map((step) => toWire(step, stages.get(step.position) ?? [])),
        };
      } catch (error) {
        log.warn({ err: error }, 'could not plan');
        return { type: 'planned', requestId, error: toLoamError(error).toPublic() };
      }
    },

    async remove({ requestId, steps }) {
      const gone: string[] = [];
      let failure: unknown;
      for (const stepId of steps) {
        try {
          await engine.removeStep(stepId as StepId);
          gone.push(stepId);
        } catch (error) {
          // What is not there needs no removal.
          if (isLoamError(error, 'engine.step-unknown')) gone.push(stepId);
          else failure ??= error;
        }
      }
      const error = failure === undefined ? {} : { error: toLoamError(failure).toPublic() };
      return { type: 'removed', requestId, steps: gone, ...error };
    },

    async describe({ requestId, steps }) {
      try {
        const wanted = new Set<string>(steps);
        const described = describeSteps(await engine.listCache(), formatPlatform(platform));
        return { type: 'described', requestId, steps: described.filter(({ stepId }) => wanted.has(stepId)) };
      } catch (error) {
        log.warn({ err: error }, 'could not describe steps');
        return { type: 'described', requestId, steps: [], error: toLoamError(error).toPublic() };
      }
    },

    inventory: async () => [...(await engine.listSteps())],

    async facts() {
      try {
        lastFacts = await facts();
      } catch (error) {
        // A containerd that does not answer for a moment must not cost the link.
        if (lastFacts === undefined) throw error;
        log.warn({ err: error }, 'could not ask containerd for facts');
      }
      return lastFacts;
    },
  };
}

function describeSteps(held: readonly CachedStep[], platform: string): DescribedStep[] {
  const ids = new Map(held.map(({ snapshot, stepId }) => [snapshot, stepId]));
  return held.flatMap(({ stepId, parent, kind, op, sizeBytes }) => {
    if (stepId === undefined) return [];
    const parentId = kind === 'from' || parent === null ? null : (ids.get(parent) ?? null);
    return [{ stepId, parentId, kind, op: kind === 'from' ? `(from ${op})` : op, platform, sizeBytes }];
  });
}

function toWire(step: PlanStep, stage: readonly string[]): PlannedStep {
  return {
    position: step.position,
    stage: [...stage],
    kind: step.kind,
    op: step.op,
    state: step.state,
    stepId: step.stepId ?? null,
    sizeBytes: step.sizeBytes ?? null,
    lastDurationMs: null,
    reason: step.reason ?? (step.needed || step.state === 'hit' ? null : 'No step that has to be run needs it.'),
  };
}
