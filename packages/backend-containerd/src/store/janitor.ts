import { LoamError } from '@loam/base';
import type { Containerd } from '@loam/containerd';

import type { CleanupQueue } from '../cleanup-queue.ts';
import { labels } from '../labels.ts';
import type { PlatformDriver } from '../platform-driver.ts';

export interface JanitorOptions {
  readonly client: Containerd;
  readonly driver: PlatformDriver;
  readonly agentId: string;
  readonly randomUUID: () => string;
  readonly cleanup: CleanupQueue;
  readonly warn: (what: string, error: unknown) => void;
}

/** Removals come in rows, and one collection serves them all. */
const afterRemovalMs = 5_000;

/**
 * Sees to it that removed snapshots leave the disk, where that may fail (Windows). What an agent can do through containerd is
 * to ask for a collection, which tries every removal again that a held disk has stopped (reference §2.4): at the start, and
 * after removals. `Snapshots.Cleanup` is no help, since nobody implements it there (reference §1.8). What was renamed to
 * `rm-*` and could not be deleted is nobody's any more (reference §3.2), containerd's included: the agent tells of it, and
 * leaves it to the operator, because no call would unmount what still holds it.
 */
export class Janitor {
  readonly #options: JanitorOptions;
  #isDue = false;
  #told = '';

  constructor(options: JanitorOptions) {
    this.#options = options;
  }

  /** A snapshot has been removed. */
  removed(): void {
    if (this.#options.driver.remains === undefined || this.#isDue) return;
    this.#isDue = true;
    this.#options.cleanup.defer('removed snapshots', afterRemovalMs, () => {
      this.#isDue = false;
      return this.run();
    });
  }

  /** Collects, and tells of what stays. */
  async run(): Promise<void> {
    const { client, driver, agentId, randomUUID, warn } = this.#options;
    if (driver.remains === undefined) return;
    // Looking for it may itself make and remove a snapshot.
    await driver.snapshotVolume();
    const id = `loam-${randomUUID()}`;
    await client.leases.create({ id, labels: { [labels.agent]: agentId, [labels.owner]: 'janitor' } });
    await client.leases.delete(id, { sync: true });
    const { directory, names } = await driver.remains();
    const told = names.toSorted().join();
    if (told === this.#told) return;
    this.#told = told;
    if (names.length === 0) return;
    warn(`${names.length} removed snapshots`, LoamError.of('backend.remains', { count: names.length, directory }));
  }
}
