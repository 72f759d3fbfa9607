import type { Snapshot, SnapshotName } from '@loam/backend';
import { isStepId, LoamError, type StepId } from '@loam/base';

import type { CachedStep, RemoveOptions } from './api.ts';
import type { EngineParts } from './engine-parts.ts';

/** See `Engine.listCache`. */
export async function listCache(parts: EngineParts): Promise<CachedStep[]> {
  return describe(parts, await parts.store.list());
}

/** See `Engine.removeStep`. */
export async function removeStep(
  parts: EngineParts,
  id: StepId | SnapshotName,
  options: RemoveOptions,
): Promise<CachedStep[]> {
  const snapshots = await parts.store.list();
  const children = Map.groupBy(snapshots, (snapshot) => snapshot.parent);
  const target = snapshots.find((snapshot) => (snapshot.name as string) === id);
  if (!target) throw LoamError.of('engine.step-unknown', { id });
  const doomed: Snapshot[] = [];
  const pending = [target];
  for (let snapshot = pending.pop(); snapshot; snapshot = pending.pop()) {
    doomed.unshift(snapshot);
    pending.push(...(children.get(snapshot.name) ?? []));
  }
  const used = doomed.find(({ name }) => parts.pins.has(name)) ?? (options.recursive ? undefined : doomed.at(-2));
  if (used) throw LoamError.of('backend.snapshot-in-use', { name: options.recursive ? used.name : target.name });
  const removed = await describe(parts, doomed);
  if (options.dryRun) return removed;
  for (const { name } of doomed) {
    await parts.store.remove(name);
    if (isStepId(name)) parts.executions.forget(name);
  }
  return removed;
}

async function describe(parts: EngineParts, snapshots: readonly Snapshot[]): Promise<CachedStep[]> {
  const sizes = await Promise.all(snapshots.map(({ name }) => sizeOf(parts, name)));
  return snapshots.map(({ name, parent, labels, createdAtMs }, index) => {
    const kind = labels['loam.kind'];
    const own = isStepId(name) && (kind === 'run' || kind === 'copy');
    return {
      snapshot: name,
      ...(own ? { stepId: name } : {}),
      parent,
      kind: own ? kind : 'from',
      op: labels['loam.op'] ?? labels['loam.image'] ?? '',
      createdAtMs,
      sizeBytes: sizes[index] ?? 0,
    };
  });
}

/** A snapshot that goes while the list is made has no size any more. */
async function sizeOf(parts: EngineParts, name: SnapshotName): Promise<number> {
  return (await parts.store.stat(name)) ? (await parts.store.usage(name)).sizeBytes : 0;
}
