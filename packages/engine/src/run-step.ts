import type {
  CacheMount,
  Lease,
  Limits,
  Mount,
  RunExit,
  Sandbox,
  SnapshotName,
  Store,
  WorkingSnapshot,
} from '@loam/backend';
import { LoamError, type StepId } from '@loam/base';

import { abandonAfter } from './abandon.ts';
import { ExecutionFailure, type ExecutionHandle, type StepCode } from './executions.ts';
import { rulesFor } from './platform/rules-for.ts';
import { stepLabels } from './step-labels.ts';
import { readCacheOptions } from './step-options.ts';
import type { ResolvedRun } from './step-resolver.ts';

export interface RunStepOptions {
  readonly store: Store;
  readonly sandbox: Sandbox;
  readonly hostname: string;
  readonly lease: Lease;
  readonly parent: SnapshotName;
  readonly secrets: ReadonlyMap<string, Uint8Array>;
  readonly limits: Limits;
  readonly timeoutMs: number | undefined;
}

/** Executes a `run`: one process on a snapshot of its parent, committed when it ends with exit code 0. */
export function runStep(step: ResolvedRun, options: RunStepOptions): StepCode {
  return async (handle) => {
    const { store, lease, parent } = options;
    handle.phase({ phase: 'preparing' });
    const secrets = secretFiles(step, options.secrets);
    const caches = await acquireCaches(step, options, handle.signal);
    let working: WorkingSnapshot | undefined;
    try {
      let exit: RunExit;
      try {
        const { scratchBytes } = options.limits;
        working = await store.prepare(parent, 'run', lease, { scratchBytes });
        exit = await run(step, options, working, caches.mounts, secrets, handle);
      } finally {
        await caches.release();
      }
      if (exit.kind !== 'exited' || exit.code !== 0) throw failureOf(exit, options);
      handle.phase({ phase: 'committing' });
      await handle.endLog();
      const snapshot = await store.commit(working, step.id as string as SnapshotName, stepLabels(step));
      return { snapshot, sizeBytes: (await store.usage(snapshot.name)).sizeBytes, exit };
    } catch (error) {
      throw working ? await abandonAfter(error, store, working) : error;
    }
  };
}

function run(
  step: ResolvedRun,
  options: RunStepOptions,
  working: WorkingSnapshot,
  mounts: readonly Mount[],
  secrets: readonly { target: string; value: Uint8Array }[],
  handle: ExecutionHandle,
): Promise<RunExit> {
  handle.phase({ phase: 'running' });
  if (step.record.kind !== 'run') throw new Error('the record of another step');
  const { shell, command, workdir, env, user, network } = step.record;
  return options.sandbox.run(
    {
      label: runLabel(step.id),
      platform: step.platform,
      working,
      argv: [...shell, command],
      workdir,
      env,
      user,
      mounts,
      secrets,
      network,
      hostname: options.hostname,
      limits: options.limits,
      ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
    },
    { onOutput: handle.log },
    handle.signal,
  );
}

function runLabel(id: StepId): string {
  return `step ${id.slice(0, 12)}`;
}

/** The secrets of a step that have no value; building it would be in vain. */
export function missingSecret(step: ResolvedRun, secrets: ReadonlyMap<string, Uint8Array>): string | undefined {
  return step.op.secrets.find((secret) => !secrets.has(secret.id))?.id;
}

function secretFiles(
  step: ResolvedRun,
  values: ReadonlyMap<string, Uint8Array>,
): { target: string; value: Uint8Array }[] {
  if (step.record.kind !== 'run') throw new Error('the record of another step');
  return step.record.secrets.map(({ id, target }) => {
    const value = values.get(id);
    if (!value) throw new ExecutionFailure((position) => LoamError.of('engine.secret-missing', { position, id }));
    return { target, value };
  });
}

/**
 * Takes the step's caches in the order of their ids, so that two steps that lock the same caches cannot wait for each
 * other. A cache that a step mounts twice is taken once.
 */
async function acquireCaches(
  step: ResolvedRun,
  options: RunStepOptions,
  signal: AbortSignal,
): Promise<{ mounts: Mount[]; release: () => Promise<void> }> {
  if (step.record.kind !== 'run') throw new Error('the record of another step');
  const taken = new Map<string, CacheMount>();
  const release = async (): Promise<void> => {
    for (const mount of taken.values()) await mount.release();
  };
  const wanted = step.op.cache.toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  try {
    const owner = wanted.length === 0 ? { uid: 0, gid: 0 } : await cacheOwner(step, options);
    for (const mount of wanted) {
      if (taken.has(mount.id)) continue;
      const settings = readCacheOptions(mount);
      if ('option' in settings) throw new Error('a cache option that was not checked');
      const { sharing, mode, uid = owner.uid, gid = owner.gid } = settings;
      taken.set(
        mount.id,
        await options.store.acquireCache({ id: mount.id, sharing, mode, owner: { uid, gid } }, signal),
      );
    }
  } catch (error) {
    await release();
    throw error;
  }
  const mounts = step.record.caches.map(({ id, target }) => ({
    source: taken.get(id)?.directory ?? '',
    target,
    readonly: false,
  }));
  return { mounts, release };
}

/** A new cache belongs to the step's user, who could not write into it otherwise. */
async function cacheOwner(step: ResolvedRun, options: RunStepOptions): Promise<{ uid: number; gid: number }> {
  const { user } = step.state;
  if (user.kind === 'id') return { uid: user.uid, gid: user.gid };
  if (!rulesFor(step.platform).numericOwners) return { uid: 0, gid: 0 };
  const tree = await options.store.tree(options.parent);
  try {
    const { uid, gid } = await tree.owner(user);
    return { uid, gid };
  } finally {
    await tree.close();
  }
}

function failureOf(exit: RunExit, options: RunStepOptions): ExecutionFailure {
  switch (exit.kind) {
    case 'exited':
      return new ExecutionFailure(
        (position) => LoamError.of('engine.step-failed', { position, code: exit.meaning ?? exit.code }),
        exit,
      );
    case 'signalled':
      return new ExecutionFailure(
        (position) => LoamError.of('engine.step-killed', { position, signal: exit.signal }),
        exit,
      );
    case 'out-of-memory': {
      const bytes = options.limits.memoryBytes;
      const limit = bytes === undefined ? 'what the host has' : `${Math.round(bytes / 2 ** 20)} MiB`;
      return new ExecutionFailure((position) => LoamError.of('engine.out-of-memory', { position, limit }), exit);
    }
    case 'timed-out': {
      const seconds = Math.round((options.timeoutMs ?? 0) / 100) / 10;
      return new ExecutionFailure((position) => LoamError.of('engine.timed-out', { position, seconds }), exit);
    }
  }
}
