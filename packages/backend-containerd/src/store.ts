import { join } from 'node:path';
import { statfs } from 'node:fs/promises';

import { isLoamError, LoamError, type Clock } from '@loam/base';
import type {
  ApplyOptions,
  CacheInfo,
  CacheMount,
  CacheRequest,
  DiskUsage,
  Lease,
  PrepareOptions,
  Purpose,
  ReconcileReport,
  Snapshot,
  SnapshotName,
  SnapshotUsage,
  Store,
  TreeEntry,
  TreeReader,
  WorkingSnapshot,
} from '@loam/backend';
import type { Containerd, Mount, SnapshotInfo, SnapshotsApi } from '@loam/containerd';

import type { CleanupQueue } from './cleanup-queue.ts';
import { deleteImagesOn } from './fetcher/image-records.ts';
import { decodeGivenLabels, encodeGivenLabels, gcRoot, labels, ownedBy } from './labels.ts';
import { dropLease, takeLease } from './leases.ts';
import { untilContainerdAnswers } from './until-containerd-answers.ts';
import type { PlatformDriver } from './platform-driver.ts';
import { applyLayer } from './store/apply-layer.ts';
import { Caches } from './store/caches.ts';
import { Janitor } from './store/janitor.ts';
import { reconcile } from './store/reconcile.ts';
import type { WorkingMounts } from './store/working-mounts.ts';

export interface StoreOptions {
  readonly client: Containerd;
  readonly driver: PlatformDriver;
  readonly agentId: string;
  readonly stateDirectory: string;
  readonly clock: Clock;
  readonly randomUUID: () => string;
  readonly mounts: WorkingMounts;
  readonly cleanup: CleanupQueue;
  readonly warn: (what: string, error: unknown) => void;
}

/** Keeps snapshots in containerd and caches in the state directory. */
export class ContainerdStore implements Store {
  readonly #options: StoreOptions;
  readonly #snapshots: SnapshotsApi;
  readonly #caches: Caches;
  readonly #janitor: Janitor;

  constructor(options: StoreOptions) {
    this.#options = options;
    this.#snapshots = options.client.snapshots(options.driver.snapshotter);
    this.#janitor = new Janitor(options);
    this.#caches = new Caches({
      directory: join(options.stateDirectory, 'caches'),
      clock: options.clock,
      makeDirectory: (...directory) => options.driver.makeCacheDirectory(...directory),
    });
  }

  async reconcile(): Promise<ReconcileReport> {
    const { client, driver, agentId, clock } = this.#options;
    const report = await reconcile({ client, driver, agentId, clock, snapshots: this.#snapshots });
    await this.#janitor.run();
    return report;
  }

  async lease(owner: string): Promise<Lease> {
    const id = await takeLease(this.#options, owner);
    return { id, release: () => dropLease(this.#options, id) };
  }

  async stat(name: SnapshotName): Promise<Snapshot | undefined> {
    const info = await this.#info(name);
    return info?.kind === 'committed' ? toSnapshot(info) : undefined;
  }

  async list(): Promise<Snapshot[]> {
    const { agentId, clock } = this.#options;
    const infos = await untilContainerdAnswers(clock, () =>
      this.#snapshots.list([`kind==committed,${ownedBy(agentId)}`]),
    );
    return infos.map(toSnapshot);
  }

  async usage(name: SnapshotName): Promise<SnapshotUsage> {
    return this.#orMissing(
      name,
      untilContainerdAnswers(this.#options.clock, () => this.#snapshots.usage(name)),
    );
  }

  async disk(): Promise<DiskUsage> {
    const { bsize, blocks, bavail } = await statfs(await this.#options.driver.snapshotVolume());
    return { totalBytes: bsize * blocks, freeBytes: bsize * bavail };
  }

  async prepare(
    parent: SnapshotName | null,
    purpose: Purpose,
    lease: Lease,
    { scratchBytes }: PrepareOptions = {},
  ): Promise<WorkingSnapshot> {
    const { driver, agentId, clock, randomUUID, mounts } = this.#options;
    const key = driver.workingKey(purpose, randomUUID());
    const given = {
      [labels.agent]: agentId,
      [labels.purpose]: purpose,
      ...driver.snapshotLabels(purpose, scratchBytes),
    };
    const prepared = untilContainerdAnswers(clock, () =>
      this.#orMounts(key, this.#snapshots.prepare({ key, parent: parent ?? '', labels: given }, { lease: lease.id })),
    );
    mounts.remember(key, await (parent === null ? prepared : this.#orMissing(parent, prepared)));
    return { key, parent, purpose, lease };
  }

  async applyLayer(
    working: WorkingSnapshot,
    entries: AsyncIterable<TreeEntry>,
    options: ApplyOptions = {},
  ): Promise<void> {
    if (working.purpose !== 'layer') throw new Error('a layer is applied to a working snapshot of another purpose');
    const { client, driver, mounts, randomUUID } = this.#options;
    const target = await mounts.of(working);
    await applyLayer({ client, driver, working, mounts: target, entries, options, unique: randomUUID() });
  }

  async commit(
    working: WorkingSnapshot,
    name: SnapshotName,
    given: Readonly<Record<string, string>>,
  ): Promise<Snapshot> {
    const { driver, agentId, clock, cleanup, mounts } = this.#options;
    if (driver.commitNeedsDeletedTask) await cleanup.settled(working.key);
    const createdAtMs = clock.now();
    const stored = {
      ...encodeGivenLabels(given),
      [labels.agent]: agentId,
      [gcRoot]: new Date(createdAtMs).toISOString(),
    };
    let wasAway = false;
    const commit = async (): Promise<void> => {
      try {
        await this.#snapshots.commit({ name, key: working.key, labels: stored }, { lease: working.lease.id });
      } catch (error) {
        wasAway ||= isLoamError(error, 'containerd.unavailable');
        throw error;
      }
    };
    try {
      await driver.whileCommitting(() => untilContainerdAnswers(clock, commit));
    } catch (error) {
      // A daemon that went away before it had answered may have committed it.
      const isThere = isLoamError(error, 'containerd.already-exists');
      if (!isThere && !(wasAway && isLoamError(error, 'containerd.not-found'))) throw error;
      await this.abandon(working);
      const existing = await this.stat(name);
      if (existing === undefined) {
        // It went away in the middle of the commit: the snapshot is lost, and the step has to be executed again.
        throw isThere ? error : LoamError.of('containerd.unavailable', {}, { cause: error });
      }
      return existing;
    }
    mounts.forget(working.key);
    return { name, parent: working.parent, createdAtMs, labels: { ...given } };
  }

  async abandon(working: WorkingSnapshot): Promise<void> {
    const { cleanup, mounts } = this.#options;
    await cleanup.settled(working.key);
    if (mounts.isKept(working.key)) return;
    await this.#removeKey(working.key);
    mounts.forget(working.key);
  }

  async remove(name: SnapshotName): Promise<void> {
    const { client, agentId } = this.#options;
    try {
      await this.#removeKey(name);
    } catch (error) {
      if (!isLoamError(error, 'containerd.failed-precondition')) throw error;
      throw LoamError.of('backend.snapshot-in-use', { name }, { cause: error });
    }
    await deleteImagesOn(client, agentId, name);
    this.#janitor.removed();
  }

  async tree(name: SnapshotName): Promise<TreeReader> {
    const { client, driver, agentId, clock, randomUUID, warn } = this.#options;
    const key = `loam-tree-${randomUUID()}`;
    // Removed with everything else of ours when the agent starts anew, and kept from the collector until then.
    const kept = { [labels.agent]: agentId, [gcRoot]: new Date(clock.now()).toISOString() };
    const snapshots = client.snapshots(driver.snapshotter);
    const mounts = await this.#orMissing(
      name,
      untilContainerdAnswers(clock, () => this.#orMounts(key, snapshots.view({ key, parent: name, labels: kept }))),
    );
    let reader: TreeReader;
    try {
      reader = await driver.openTree(key, mounts, () => this.#osVersion(name));
    } catch (error) {
      await this.#removeKey(key);
      throw error;
    }
    let closing: Promise<void> | undefined;
    const close = (): Promise<void> => {
      // What has been read does not depend on it; what stays is removed by the next life.
      closing ??= reader
        .close()
        .then(() => this.#removeKey(key))
        .catch((error: unknown) => warn(`view ${key}`, error));
      return closing;
    };
    return {
      resolve: (path) => reader.resolve(path),
      walk: (path) => reader.walk(path),
      owner: (user) => reader.owner(user),
      close,
    };
  }

  acquireCache(request: CacheRequest, signal: AbortSignal): Promise<CacheMount> {
    return this.#caches.acquire(request, signal);
  }

  listCaches(): Promise<CacheInfo[]> {
    return this.#caches.list();
  }

  removeCache(id: string): Promise<void> {
    return this.#caches.remove(id);
  }

  /** For leak checks. */
  cachesInUse(): string[] {
    return this.#caches.inUse();
  }

  async close(): Promise<void> {
    await this.#options.cleanup.drain();
  }

  async #info(name: string): Promise<SnapshotInfo | undefined> {
    try {
      return await untilContainerdAnswers(this.#options.clock, () => this.#snapshots.stat(name));
    } catch (error) {
      if (isLoamError(error, 'containerd.not-found')) return undefined;
      throw error;
    }
  }

  /** What the image at the bottom of a snapshot is made for, as the fetcher noted it on its layers. */
  async #osVersion(name: string): Promise<string | undefined> {
    for (let at = name; at !== '';) {
      const info = await this.#info(at);
      const version = info?.labels[labels.osVersion];
      if (info === undefined || version !== undefined) return version;
      at = info.parent;
    }
    return undefined;
  }

  async #removeKey(key: string): Promise<void> {
    try {
      await untilContainerdAnswers(this.#options.clock, () => this.#snapshots.remove(key));
    } catch (error) {
      if (!isLoamError(error, 'containerd.not-found')) throw error;
    }
  }

  /** Keys are used once: one that is there already was made by a call whose answer was lost. */
  async #orMounts(key: string, work: Promise<Mount[]>): Promise<Mount[]> {
    try {
      return await work;
    } catch (error) {
      if (!isLoamError(error, 'containerd.already-exists')) throw error;
      return this.#snapshots.mounts(key);
    }
  }

  async #orMissing<T>(name: SnapshotName, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (!isLoamError(error, 'containerd.not-found')) throw error;
      throw LoamError.of('backend.snapshot-missing', { name }, { cause: error });
    }
  }
}

function toSnapshot(info: SnapshotInfo): Snapshot {
  const rootedAt = Date.parse(info.labels[gcRoot] ?? '');
  return {
    name: info.name as SnapshotName,
    parent: info.parent === '' ? null : (info.parent as SnapshotName),
    createdAtMs: Number.isNaN(rootedAt) ? info.createdAt.getTime() : rootedAt,
    labels: decodeGivenLabels(info.labels),
  };
}
