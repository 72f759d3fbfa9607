import type { Lease, SnapshotName, Store, TreeReader } from '@loam/backend';
import { isLoamError, type Clock } from '@loam/base';
import type { ContextSource } from '@loam/context';

import { abandonAfter } from './abandon.ts';
import { contextEntries, totalSize } from './copy-from-context.ts';
import { buildEntries } from './copy-from-build.ts';
import { CopyLayer, type SourceEntry } from './copy-layer.ts';
import { ExecutionFailure, type StepCode } from './executions.ts';
import type { PlatformRules } from './platform/rules.ts';
import { stepLabels } from './step-labels.ts';
import type { ResolvedCopy } from './step-resolver.ts';

export interface CopyStepOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly rules: PlatformRules;
  readonly lease: Lease;
  readonly parent: SnapshotName;
  readonly context: ContextSource;
  /** The snapshot of the build that is copied from. */
  readonly source: SnapshotName | undefined;
}

/** Progress is told no more often than this. */
const progressEveryMs = 200;

/** Executes a `copy`: a layer made of the source's entries, applied to a snapshot of the parent. Nothing runs in the image. */
export function copyStep(step: ResolvedCopy, options: CopyStepOptions): StepCode {
  return async (handle) => {
    const { store, clock, rules, lease, parent } = options;
    handle.phase({ phase: 'preparing' });
    const readers: TreeReader[] = [];
    const open = async (name: SnapshotName): Promise<TreeReader> => {
      const reader = await store.tree(name);
      readers.push(reader);
      return reader;
    };
    try {
      const tree = await open(parent);
      const owner = await tree.owner(step.state.user);
      let entries: AsyncIterable<SourceEntry>;
      let totalBytes: number | undefined;
      if (step.items) {
        totalBytes = totalSize(step.items);
        entries = contextEntries(step.items, options.context, Math.floor(clock.now() / 1000) * 1000);
      } else if (options.source !== undefined) {
        entries = buildEntries(await open(options.source), step.op, rules);
      } else throw new Error('a copy from nowhere');
      const layer = new CopyLayer({ tree, owner, nowMs: clock.now(), destination: step.destination, rules });
      const working = await store.prepare(parent, 'layer', lease);
      try {
        let toldAt = clock.monotonic();
        const report = (currentBytes: number): void =>
          handle.phase({ phase: 'copying', currentBytes, ...(totalBytes === undefined ? {} : { totalBytes }) });
        report(0);
        await store.applyLayer(working, layer.place(entries), {
          signal: handle.signal,
          onProgress: (bytes) => {
            if (clock.monotonic() - toldAt < progressEveryMs) return;
            toldAt = clock.monotonic();
            report(bytes);
          },
        });
        handle.phase({ phase: 'committing' });
        const snapshot = await store.commit(working, step.id as string as SnapshotName, stepLabels(step));
        return { snapshot, sizeBytes: (await store.usage(snapshot.name)).sizeBytes };
      } catch (error) {
        throw await abandonAfter(deepestFailure(error), store, working);
      }
    } finally {
      for (const reader of readers) await reader.close();
    }
  };
}

/** A back end may wrap what an entry's content threw; the reason is what the user must hear. */
function deepestFailure(error: unknown): unknown {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if (at instanceof ExecutionFailure || isLoamError(at, 'engine.context-changed')) return at;
  }
  return error;
}
