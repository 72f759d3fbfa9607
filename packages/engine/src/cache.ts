import type { HeldImage, Snapshot, SnapshotName } from '@loam/backend';
import { isLoamError, isStepId, LoamError, type StepId } from '@loam/base';

import type { CachedStep, HeldStep, RemoveOptions } from './api.ts';
import { baseSize } from './base-image.ts';
import type { EngineParts } from './engine-parts.ts';
import { fromRecordOf, stepId } from './step-record.ts';

/** A base image that is here, with the id of its `from` step. */
type HeldBase = HeldImage & { readonly id: StepId };

/** See `Engine.listCache`. */
export async function listCache(parts: EngineParts): Promise<CachedStep[]> {
  const [snapshots, bases] = await Promise.all([parts.store.list(), listBases(parts)]);
  return describe(parts, snapshots, bases);
}

/** See `Engine.listSteps`. */
export async function listSteps(parts: EngineParts): Promise<HeldStep[]> {
  const [snapshots, bases] = await Promise.all([parts.store.list(), listBases(parts)]);
  const steps = snapshots.flatMap(({ name, labels }) => (isOwn(name, labels) ? [name as string as StepId] : []));
  return Promise.all([
    ...steps.map(async (id) => ({ stepId: id, sizeBytes: await sizeOf(parts, id as string as SnapshotName) })),
    ...bases.map(async ({ id, snapshot }) => ({ stepId: id, sizeBytes: 0, ...(await baseSize(parts, snapshot)) })),
  ]);
}

async function listBases({ fetcher, platform }: EngineParts): Promise<HeldBase[]> {
  return (await fetcher.list(platform)).map((image) => ({ ...image, id: stepId(fromRecordOf(image)) }));
}

/** See `Engine.removeStep`. */
export async function removeStep(
  parts: EngineParts,
  id: StepId | SnapshotName,
  options: RemoveOptions,
): Promise<CachedStep[]> {
  const [snapshots, bases] = await Promise.all([parts.store.list(), listBases(parts)]);
  const children = Map.groupBy(snapshots, (snapshot) => snapshot.parent);
  const wanted: string = bases.find((base) => base.id === id)?.snapshot ?? id;
  const target = snapshots.find((snapshot) => (snapshot.name as string) === wanted);
  if (!target) throw LoamError.of('engine.step-unknown', { id });
  const doomed: Snapshot[] = [];
  const pending = [target];
  for (let snapshot = pending.pop(); snapshot; snapshot = pending.pop()) {
    doomed.unshift(snapshot);
    pending.push(...(children.get(snapshot.name) ?? []));
  }
  const used = doomed.find(({ name }) => parts.pins.has(name)) ?? (options.recursive ? undefined : doomed.at(-2));
  if (used) throw LoamError.of('backend.snapshot-in-use', { name: options.recursive ? used.name : target.name });
  const removed = await describe(parts, doomed, bases);
  if (options.dryRun) return removed;
  for (const { name } of doomed) {
    await parts.store.remove(name);
    parts.baseSizes.delete(name);
    if (isStepId(name)) parts.executions.forget(name);
  }
  return removed;
}

/** Whether a snapshot is the result of a `run` or `copy`, and not a layer of a base image. */
function isOwn(name: SnapshotName, labels: Snapshot['labels']): boolean {
  return isStepId(name) && (labels['loam.kind'] === 'run' || labels['loam.kind'] === 'copy');
}

async function describe(
  parts: EngineParts,
  snapshots: readonly Snapshot[],
  bases: readonly HeldBase[],
): Promise<CachedStep[]> {
  const sizes = await Promise.all(snapshots.map(({ name }) => sizeOf(parts, name)));
  return snapshots.map(({ name, parent, labels, createdAtMs }, index): CachedStep => {
    const common = { snapshot: name, parent, createdAtMs, sizeBytes: sizes[index] ?? 0 };
    if (isOwn(name, labels)) {
      const kind = labels['loam.kind'] === 'copy' ? 'copy' : 'run';
      return { ...common, stepId: name as string as StepId, kind, op: labels['loam.op'] ?? '' };
    }
    const base = bases.find(({ snapshot }) => snapshot === name);
    const op = base?.name ?? labels['loam.image'] ?? '';
    return { ...common, ...(base ? { stepId: base.id } : {}), kind: 'from', op };
  });
}

/** A snapshot that goes while the list is made has no size any more. */
async function sizeOf(parts: EngineParts, name: SnapshotName): Promise<number> {
  try {
    return (await parts.store.usage(name)).sizeBytes;
  } catch (error) {
    if (isLoamError(error, 'backend.snapshot-missing')) return 0;
    throw error;
  }
}
