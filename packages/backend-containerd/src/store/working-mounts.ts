import type { WorkingSnapshot } from '@loam/backend';
import type { Clock } from '@loam/base';
import type { Mount, SnapshotsApi } from '@loam/containerd';

import { untilContainerdAnswers } from '../until-containerd-answers.ts';

/** How to mount each working snapshot, as `prepare` was told, so that nobody has to ask again. */
export class WorkingMounts {
  readonly #snapshots: SnapshotsApi;
  readonly #clock: Clock;
  readonly #known = new Map<string, readonly Mount[]>();
  readonly #kept = new Set<string>();

  constructor(snapshots: SnapshotsApi, clock: Clock) {
    this.#snapshots = snapshots;
    this.#clock = clock;
  }

  remember(key: string, mounts: readonly Mount[]): void {
    this.#known.set(key, mounts);
  }

  forget(key: string): void {
    this.#known.delete(key);
  }

  /** Something may still run on that snapshot: it must not be removed in this life. */
  keep(key: string): void {
    this.#kept.add(key);
  }

  isKept(key: string): boolean {
    return this.#kept.has(key);
  }

  async of(working: WorkingSnapshot): Promise<readonly Mount[]> {
    return (
      this.#known.get(working.key) ??
      (await untilContainerdAnswers(this.#clock, () => this.#snapshots.mounts(working.key)))
    );
  }
}
