import { isStepId, LoamError, type StepId } from '@loam/base';
import type { CachedStep, Engine } from '@loam/engine';

import { openHost } from '../host.ts';
import { formatBytes } from '../output/style.ts';
import { hostOptions, type CommonOptions } from './options.ts';

export interface CacheOptions extends CommonOptions {
  readonly json?: boolean;
}

export interface RemoveOptions extends CacheOptions {
  readonly recursive?: boolean;
  readonly dryRun?: boolean;
}

/** `loam-agent cache ls`: every snapshot, each below the one that it stands on. */
export async function listCache(options: CacheOptions): Promise<number> {
  const host = await openHost(hostOptions(options));
  try {
    const steps = await host.engine.listCache();
    if (options.json) {
      process.stdout.write(`${JSON.stringify({ steps })}\n`);
      return 0;
    }
    for (const { step, depth } of asTree(steps)) process.stdout.write(`${lineOf(step, depth)}\n`);
    const total = steps.reduce((sum, step) => sum + step.sizeBytes, 0);
    process.stdout.write(`${steps.length} snapshots, ${formatBytes(total)}\n`);
    return 0;
  } finally {
    await host.close();
  }
}

/** `loam-agent cache rm`: removes a step, and with `--recursive` all that stands on it. */
export async function removeFromCache(ids: readonly string[], options: RemoveOptions): Promise<number> {
  const host = await openHost(hostOptions(options));
  try {
    const gone: CachedStep[] = [];
    for (const id of ids) {
      const stepId = await completeId(host.engine, id);
      const { recursive = false, dryRun = false } = options;
      gone.push(...(await host.engine.removeStep(stepId, { recursive, dryRun })));
    }
    const freedBytes = gone.reduce((sum, step) => sum + step.sizeBytes, 0);
    if (options.json) {
      process.stdout.write(`${JSON.stringify({ dryRun: options.dryRun ?? false, steps: gone, freedBytes })}\n`);
      return 0;
    }
    for (const step of gone) process.stdout.write(`${lineOf(step, 0)}\n`);
    const verb = options.dryRun ? 'would be removed' : 'removed';
    process.stdout.write(`${gone.length} snapshots ${verb}, ${formatBytes(freedBytes)}\n`);
    return 0;
  } finally {
    await host.close();
  }
}

function lineOf(step: CachedStep, depth: number): string {
  const id = (step.stepId ?? '-').slice(0, 12).padEnd(12);
  return `${id} ${formatBytes(step.sizeBytes).padStart(10)} ${'  '.repeat(depth)}${step.op.replaceAll('\n', ' ')}`;
}

/** Children behind their parents, oldest first. Long chains stay at their first step's depth: only forks go deeper. */
function asTree(steps: readonly CachedStep[]): { readonly step: CachedStep; readonly depth: number }[] {
  const known = new Set(steps.map((step) => step.snapshot));
  const children = Map.groupBy(steps, (step) => (step.parent !== null && known.has(step.parent) ? step.parent : null));
  const lines: { step: CachedStep; depth: number }[] = [];
  const open: { step: CachedStep; depth: number }[] = [];
  const push = (parent: CachedStep['parent'], depth: number): void => {
    const list = (children.get(parent) ?? []).toSorted((a, b) => b.createdAtMs - a.createdAtMs);
    for (const step of list) open.push({ step, depth: list.length > 1 && parent !== null ? depth + 1 : depth });
  };
  push(null, 0);
  for (let line = open.pop(); line; line = open.pop()) {
    lines.push(line);
    push(line.step.snapshot, line.depth);
  }
  return lines;
}

/** An id may be cut short, as `ls` shows it. */
async function completeId(engine: Engine, id: string): Promise<StepId> {
  if (isStepId(id)) return id;
  const all = (await engine.listCache()).flatMap((step) => step.stepId ?? []);
  const matches = [...new Set(all)].filter((stepId) => id.length >= 4 && stepId.startsWith(id));
  const [only] = matches;
  if (only === undefined) throw LoamError.of('engine.step-unknown', { id });
  if (matches.length > 1) {
    throw LoamError.of('agent.bad-argument', {
      option: 'STEP',
      value: id,
      reason: `${matches.length} steps begin with it`,
    });
  }
  return only;
}
