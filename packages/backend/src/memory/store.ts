import { cancelled, LoamError, systemClock, type Clock } from '@loam/base';

import type {
  ApplyOptions,
  CacheInfo,
  CacheMount,
  CacheRequest,
  DiskUsage,
  Lease,
  Purpose,
  ReconcileReport,
  Snapshot,
  SnapshotName,
  SnapshotUsage,
  Store,
  WorkingSnapshot,
} from '../store.ts';
import type { TreeEntry, TreeReader } from '../tree.ts';
import { MemoryCaches } from './caches.ts';
import { FileTree } from './file-tree.ts';

/** A call of the double, before it does anything. */
export interface StoreCall {
  readonly method: Exclude<keyof Store, 'close'>;
  /** The snapshot name, working key, cache id or owner that the call is about; `''` when it is about all. */
  readonly subject: string;
}

export interface MemoryStoreOptions {
  readonly clock?: Clock;
  /** Called first in every method: a promise delays the call, a throw fails it. */
  readonly onCall?: (call: StoreCall) => Promise<void> | void;
}

interface Committed {
  readonly snapshot: Snapshot;
  readonly tree: FileTree;
  readers: number;
}
interface Working {
  readonly tree: FileTree;
  readonly leaseId: string;
  readonly life: number;
}

/** What outlives a crash of the double: its "disk". */
class Disk {
  readonly committed = new Map<SnapshotName, Committed>();
  readonly working = new Map<string, Working>();
  readonly leases = new Map<string, { readonly owner: string; readonly life: number }>();
  readonly caches: MemoryCaches;
  /** Things that another program put there. */
  readonly foreign = new Set<string>();
  life = 0;
  next = 0;

  constructor(clock: Clock) {
    this.caches = new MemoryCaches(clock);
  }
}

const emptyReport: ReconcileReport = {
  tasks: 0,
  containers: 0,
  workingSnapshots: 0,
  leases: 0,
  mounts: 0,
  networks: 0,
};

/** The store in memory: a reference for real ones, and the ground on which the engine is tested. */
export class MemoryStore implements Store {
  /** How often a snapshot was committed under each name, lost races included. */
  readonly commits = new Map<SnapshotName, number>();
  readonly #clock: Clock;
  readonly #options: MemoryStoreOptions;
  readonly #disk: Disk;
  readonly #life: number;

  constructor(options: MemoryStoreOptions = {}, previous?: MemoryStore) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#disk = previous ? previous.#disk : new Disk(this.#clock);
    this.#life = this.#disk.life += 1;
  }

  async #call(method: StoreCall['method'], subject = ''): Promise<void> {
    await this.#options.onCall?.({ method, subject });
  }

  async reconcile(): Promise<ReconcileReport> {
    await this.#call('reconcile');
    const { working, leases, committed, caches } = this.#disk;
    const report = { ...emptyReport };
    for (const [key, item] of working) {
      if (item.life < this.#life && working.delete(key)) report.workingSnapshots += 1;
    }
    for (const [id, item] of leases) if (item.life < this.#life && leases.delete(id)) report.leases += 1;
    for (const item of committed.values()) {
      report.mounts += item.readers;
      item.readers = 0;
    }
    caches.forgetUsers();
    return report;
  }

  async lease(owner: string): Promise<Lease> {
    await this.#call('lease', owner);
    const id = `lease-${(this.#disk.next += 1)}`;
    this.#disk.leases.set(id, { owner, life: this.#life });
    return {
      id,
      release: () => {
        this.#disk.leases.delete(id);
        return Promise.resolve();
      },
    };
  }

  async stat(name: SnapshotName): Promise<Snapshot | undefined> {
    await this.#call('stat', name);
    return this.#disk.committed.get(name)?.snapshot;
  }

  async list(): Promise<Snapshot[]> {
    await this.#call('list');
    return [...this.#disk.committed.values()].map((item) => item.snapshot);
  }

  async usage(name: SnapshotName): Promise<SnapshotUsage> {
    await this.#call('usage', name);
    const item = this.#committed(name);
    const whole = item.tree.usage();
    const parent = item.snapshot.parent && this.#disk.committed.get(item.snapshot.parent)?.tree.usage();
    return {
      sizeBytes: Math.max(0, whole.sizeBytes - (parent?.sizeBytes ?? 0)),
      inodes: Math.max(0, whole.inodes - (parent?.inodes ?? 0)),
    };
  }

  async disk(): Promise<DiskUsage> {
    await this.#call('disk');
    return { totalBytes: 2 ** 40, freeBytes: 2 ** 39 };
  }

  async prepare(parent: SnapshotName | null, purpose: Purpose, lease: Lease): Promise<WorkingSnapshot> {
    await this.#call('prepare', parent ?? '');
    const tree = parent === null ? new FileTree() : this.#committed(parent).tree.clone();
    const key = `working-${(this.#disk.next += 1)}`;
    this.#disk.working.set(key, { tree, leaseId: lease.id, life: this.#life });
    return { key, parent, purpose, lease };
  }

  async applyLayer(
    working: WorkingSnapshot,
    entries: AsyncIterable<TreeEntry>,
    options: ApplyOptions = {},
  ): Promise<void> {
    await this.#call('applyLayer', working.key);
    if (working.purpose !== 'layer') throw new Error('a layer on a working snapshot that was prepared to run');
    const tree = this.workingTree(working);
    let bytes = 0;
    for await (const entry of entries) {
      if (options.signal?.aborted) throw cancelled();
      await tree.apply(entry, (count) => options.onProgress?.((bytes += count)));
    }
    if (options.signal?.aborted) throw cancelled();
  }

  async commit(
    working: WorkingSnapshot,
    name: SnapshotName,
    labels: Readonly<Record<string, string>>,
  ): Promise<Snapshot> {
    await this.#call('commit', name);
    const tree = this.workingTree(working);
    this.commits.set(name, (this.commits.get(name) ?? 0) + 1);
    const there = this.#disk.committed.get(name);
    if (working.parent !== null) this.#committed(working.parent);
    this.#disk.working.delete(working.key);
    if (there) return there.snapshot;
    const snapshot = { name, parent: working.parent, createdAtMs: this.#clock.now(), labels: { ...labels } };
    this.#disk.committed.set(name, { snapshot, tree, readers: 0 });
    return snapshot;
  }

  async abandon(working: WorkingSnapshot): Promise<void> {
    await this.#call('abandon', working.key);
    this.#disk.working.delete(working.key);
  }

  async remove(name: SnapshotName): Promise<void> {
    await this.#call('remove', name);
    const { committed } = this.#disk;
    const hasChildren = [...committed.values()].some((other) => other.snapshot.parent === name);
    if (hasChildren || (committed.get(name)?.readers ?? 0) > 0) {
      throw LoamError.of('backend.snapshot-in-use', { name });
    }
    committed.delete(name);
  }

  async tree(name: SnapshotName): Promise<TreeReader> {
    await this.#call('tree', name);
    const item = this.#committed(name);
    item.readers += 1;
    let open = true;
    return {
      resolve: (path) => Promise.resolve(item.tree.resolve(path)),
      async *walk(path) {
        await Promise.resolve();
        yield* item.tree.walk(path);
      },
      owner: async (user) => item.tree.owner(user),
      close: () => {
        if (open) item.readers -= 1;
        open = false;
        return Promise.resolve();
      },
    };
  }

  async acquireCache(request: CacheRequest, signal: AbortSignal): Promise<CacheMount> {
    await this.#call('acquireCache', request.id);
    return this.#disk.caches.acquire(request, signal);
  }

  async listCaches(): Promise<CacheInfo[]> {
    await this.#call('listCaches');
    return this.#disk.caches.list();
  }

  async removeCache(id: string): Promise<void> {
    await this.#call('removeCache', id);
    this.#disk.caches.remove(id);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** The files of a working snapshot, to read and to change. */
  workingTree(working: WorkingSnapshot): FileTree {
    const item = this.#disk.working.get(working.key);
    if (!item) throw new Error(`no working snapshot ${working.key}`);
    return item.tree;
  }

  /** The files behind a cache's directory. */
  cacheTree(directory: string): FileTree {
    const tree = this.#disk.caches.tree(directory);
    if (!tree) throw new Error(`no cache at ${directory}`);
    return tree;
  }

  /** Another life on the same disk, as after a crash. */
  reopen(): MemoryStore {
    return new MemoryStore(this.#options, this);
  }

  /** Working snapshots without a lease are garbage. */
  collectGarbage(): void {
    const { working, leases } = this.#disk;
    for (const [key, item] of working) if (!leases.has(item.leaseId)) working.delete(key);
  }

  /** A line for each thing that is unfinished or in use. */
  leftovers(): string[] {
    const { working, leases, committed, caches } = this.#disk;
    const read = [...committed.values()].filter((item) => item.readers > 0);
    return [
      ...[...working.keys()].map((key) => `working snapshot ${key}`),
      ...[...leases].map(([id, lease]) => `lease ${id} of ${lease.owner}`),
      ...read.map((item) => `reader of ${item.snapshot.name}`),
      ...caches.inUse(),
    ];
  }

  /** Things of other programs on the same disk, which `reconcile` must not touch. */
  get foreign(): Set<string> {
    return this.#disk.foreign;
  }

  #committed(name: SnapshotName): Committed {
    const item = this.#disk.committed.get(name);
    if (!item) throw LoamError.of('backend.snapshot-missing', { name });
    return item;
  }
}
