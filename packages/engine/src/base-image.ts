import type { Fetcher, FetchProgress, ResolvedImage, Snapshot, SnapshotName } from '@loam/backend';
import { isLoamError, type Clock } from '@loam/base';

import type { EngineParts } from './engine-parts.ts';
import type { PhaseReport } from './executions.ts';
import type { SharedLease } from './shared-lease.ts';

/** How many builds in a row may drag ours down with them before we give up. */
const fetchAttempts = 20;
/** Progress within one phase is told no more often than this. */
const progressEveryMs = 200;

export interface BaseImage {
  readonly snapshot: SnapshotName;
  /** It was not here before. */
  readonly fetched: boolean;
}

export interface BringBaseOptions {
  readonly fetcher: Fetcher;
  readonly clock: Clock;
  readonly lease: SharedLease;
  readonly signal: AbortSignal;
  readonly onProgress: (report: PhaseReport) => void;
}

/** A base image's snapshot, fetched if it is not here. */
export async function bringBase(image: ResolvedImage, options: BringBaseOptions): Promise<BaseImage> {
  const { fetcher, lease, signal } = options;
  const here = await fetcher.find(image);
  if (here !== undefined) return { snapshot: here, fetched: false };
  const onProgress = throttled(options);
  const snapshot = await lease.hold(async (held) => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await fetcher.fetch(image, { lease: held, signal, onProgress });
      } catch (error) {
        // Fetches share their work: another build's cancellation may have ended ours, too.
        const foreign = isLoamError(error, 'general.cancelled') && !signal.aborted;
        if (!foreign || attempt === fetchAttempts) throw error;
      }
    }
  });
  return { snapshot, fetched: true };
}

/** What a base image takes, with all its layers; nothing when it is not here (any more). */
export async function baseSize(
  parts: Pick<EngineParts, 'store' | 'baseSizes'>,
  snapshot: SnapshotName | undefined,
): Promise<{ sizeBytes?: number }> {
  if (snapshot === undefined) return {};
  const known = parts.baseSizes.get(snapshot);
  if (known !== undefined) return { sizeBytes: known };
  try {
    let sizeBytes = 0;
    for (let name: SnapshotName | null = snapshot; name !== null;) {
      const layer: Snapshot | undefined = await parts.store.stat(name);
      if (layer === undefined) return {};
      sizeBytes += (await parts.store.usage(name)).sizeBytes;
      name = layer.parent;
    }
    parts.baseSizes.set(snapshot, sizeBytes);
    return { sizeBytes };
  } catch (error) {
    if (isLoamError(error, 'backend.snapshot-missing')) return {};
    throw error;
  }
}

function throttled({ clock, onProgress }: BringBaseOptions): (progress: FetchProgress) => void {
  let toldAt = Number.NEGATIVE_INFINITY;
  let toldPhase = '';
  return ({ phase, currentBytes, totalBytes }) => {
    const now = clock.monotonic();
    if (phase === 'done' || (phase === toldPhase && now - toldAt < progressEveryMs)) return;
    [toldAt, toldPhase] = [now, phase];
    onProgress({ phase, currentBytes, totalBytes });
  };
}
