import type { SnapshotName } from '@loam/backend';
import { isLoamError, type StepId } from '@loam/base';
import type { Spec } from '@loam/spec';

import type { Plan, PlanOptions, PlanStep } from './api.ts';
import { baseSize } from './base-image.ts';
import type { EngineParts } from './engine-parts.ts';
import type { StepPlace } from './events.ts';
import { rulesFor } from './platform/rules-for.ts';
import { stagesInOrder, stagesOf, type Stage } from './stage.ts';
import { StepError } from './step-error.ts';
import { checkStages } from './step-options.ts';
import { StepResolver, type ResolvedStage } from './step-resolver.ts';

/** Looks up what a build of `spec` would find. */
export async function planBuild(parts: EngineParts, spec: Spec, options: PlanOptions): Promise<Plan> {
  const root = stagesOf(spec);
  const resolver = new StepResolver({
    store: parts.store,
    fetcher: parts.fetcher,
    platform: parts.platform,
    shells: parts.shells,
    context: options.context,
    refresh: options.refresh ?? false,
    signal: options.signal ?? new AbortController().signal,
    base: (_stage, image) => parts.fetcher.find(image),
    lenient: true,
  });
  try {
    checkStages(root, rulesFor(parts.platform));
    const stages = stagesInOrder(root);
    const planned = await Promise.all(stages.map((stage) => planStage(parts, stage, resolver)));
    const needed = neededStages(root, new Map(stages.map((stage, index) => [stage, planned[index] ?? []])));
    return {
      steps: planned.flatMap((steps, index) =>
        steps.map((step) => ({ ...step, needed: needed.has(stages[index] as Stage) })),
      ),
    };
  } catch (error) {
    throw error instanceof StepError ? error.error : error;
  }
}

type Draft = Omit<PlanStep, 'needed'>;

async function planStage(parts: EngineParts, stage: Stage, resolver: StepResolver): Promise<Draft[]> {
  let resolved: ResolvedStage;
  try {
    resolved = await resolver.resolve(stage);
  } catch (error) {
    if (!(error instanceof StepError) || error.error.code === 'general.cancelled') throw error;
    const reason = error.error.message;
    return [stage.from, ...stage.steps.map((step) => step.place)].map((place) => ({
      ...place,
      state: 'unknown',
      reason,
    }));
  }
  const { store, fetcher, executions } = parts;
  const [base, ...found] = await Promise.all([
    fetcher.find(resolved.image),
    ...resolved.steps.map((step) => store.stat(step.id as string as SnapshotName)),
  ]);
  const deepest = found.findLastIndex((snapshot) => snapshot !== undefined);
  const drafts: Draft[] = [
    {
      ...stage.from,
      stepId: resolved.fromId,
      record: resolved.fromRecord,
      ...(base !== undefined || deepest >= 0 ? { state: 'hit', ...(await baseSize(parts, base)) } : { state: 'miss' }),
    },
  ];
  for (const [index, step] of resolved.steps.entries()) {
    const known = { ...step.place, stepId: step.id, parentId: step.parentId, record: step.record };
    if (index <= deepest) drafts.push({ ...known, state: 'hit', ...(await sizeOf(parts, step.id)) });
    else drafts.push({ ...known, state: executions.has(step.id) ? 'in-flight' : 'miss' });
  }
  return [...drafts, ...unresolvedSteps(stage, resolved, drafts.length)];
}

function unresolvedSteps(stage: Stage, { unresolved }: ResolvedStage, from: number): Draft[] {
  if (!unresolved) return [];
  const places: StepPlace[] = stage.steps.slice(from - 1).map((step) => step.place);
  const state = unresolved.certainMiss ? 'miss' : 'unknown';
  return places.map((place) => ({
    ...place,
    state,
    reason: place === unresolved.place ? unresolved.reason : `it stands on step ${unresolved.place.position}`,
  }));
}

async function sizeOf(parts: EngineParts, name: SnapshotName | StepId | undefined): Promise<{ sizeBytes?: number }> {
  if (name === undefined) return {};
  try {
    return { sizeBytes: (await parts.store.usage(name as string as SnapshotName)).sizeBytes };
  } catch (error) {
    // Removed since it was seen: the plan is a look at one moment, and says so by having no size.
    if (isLoamError(error, 'backend.snapshot-missing')) return {};
    throw error;
  }
}

/** Stages that a build would enter: the outermost, and those that a copy needs which is no hit. */
function neededStages(root: Stage, plans: ReadonlyMap<Stage, readonly Draft[]>): Set<Stage> {
  const needed = new Set<Stage>();
  const pending = [root];
  for (let stage = pending.pop(); stage; stage = pending.pop()) {
    if (needed.has(stage)) continue;
    needed.add(stage);
    const states = new Map((plans.get(stage) ?? []).map((step) => [step.position, step.state]));
    for (const { place, op } of stage.steps) {
      if (op.kind !== 'copy' || op.from.kind !== 'build' || states.get(place.position) === 'hit') continue;
      const source = stage.scope.get(op.from.name);
      if (source) pending.push(source);
    }
  }
  return needed;
}
