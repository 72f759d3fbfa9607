import type { Brand } from '@loam/base';

import type { TreeEntry, TreeReader } from './tree.ts';

/**
 * Vocabulary. A *snapshot* is a committed, immutable file-system layer with a name and a parent (`null`: an empty root). A
 * *working snapshot* is writable, has no name yet, and belongs to whoever prepared it. A *lease* keeps what was made under
 * it from the garbage collector. A *cache* is a directory that outlives steps and is mounted into them.
 */
export type SnapshotName = Brand<string, 'SnapshotName'>;

export interface Snapshot {
  readonly name: SnapshotName;
  readonly parent: SnapshotName | null;
  readonly createdAtMs: number;
  /** What `commit` was given. */
  readonly labels: Readonly<Record<string, string>>;
}

/** What a working snapshot is for: a process that runs on it, or a layer that is applied to it. Windows prepares them differently. */
export type Purpose = 'run' | 'layer';

export interface WorkingSnapshot {
  readonly key: string;
  readonly parent: SnapshotName | null;
  readonly purpose: Purpose;
  readonly lease: Lease;
}

/** Protects what is made under it. Release is idempotent and never fails loudly: what it protected becomes garbage. */
export interface Lease {
  readonly id: string;
  release(): Promise<void>;
}

export interface SnapshotUsage {
  /** The snapshot's own bytes on disk, without its parents'. */
  readonly sizeBytes: number;
  readonly inodes: number;
}

export interface DiskUsage {
  /** Of the volume on which snapshots lie. */
  readonly totalBytes: number;
  readonly freeBytes: number;
}

/**
 * How steps that run at the same time share a cache, as BuildKit names it.
 * `shared` (the default): one directory, everybody writes into it at once; nothing that anybody wrote is lost, and of two
 * writers of one file the last one wins. `locked`: one step at a time, others wait. `private`: a step that finds the cache
 * in use gets another directory of the same id, which later steps reuse.
 */
export type CacheSharing = 'shared' | 'locked' | 'private';

export interface CacheRequest {
  readonly id: string;
  readonly sharing: CacheSharing;
  /** Owner and mode of the directory when it is made now; an existing one keeps what it has. */
  readonly owner: { readonly uid: number; readonly gid: number };
  readonly mode: number;
}

/** A cache in use. `release` must be called on every path; what steps wrote stays, whether they succeeded or not. */
export interface CacheMount {
  /** Host directory to mount. */
  readonly directory: string;
  release(): Promise<void>;
}

export interface CacheInfo {
  readonly id: string;
  readonly sizeBytes: number;
  readonly lastUsedAtMs: number;
}

/** What a crash had left and a reconciliation removed. */
export interface ReconcileReport {
  readonly tasks: number;
  readonly containers: number;
  readonly workingSnapshots: number;
  readonly leases: number;
  readonly mounts: number;
  readonly networks: number;
}

/**
 * Keeps snapshots and caches.
 *
 * Life cycle: `prepare` → (run a process on it | `applyLayer`) → `commit` or `abandon`; active to committed, never back.
 * Concurrency: all methods may run at the same time, except that one working snapshot is used by one caller at a time, and
 * a caller never commits two working snapshots under one name at the same time (the engine shares such work).
 * After a failure: a failed method leaves what it was given as it was; the caller still abandons its working snapshot and
 * releases its lease. After a crash `reconcile` removes what is ours and unfinished, and touches nothing else.
 */
export interface Store {
  /** Removes what an earlier life of this agent left: tasks, containers, working snapshots, leases, mounts. Called once, first. */
  reconcile(): Promise<ReconcileReport>;

  /** A lease for one piece of work; `owner` names it in listings (an attempt id). */
  lease(owner: string): Promise<Lease>;

  /** The committed snapshot of that name, or undefined. */
  stat(name: SnapshotName): Promise<Snapshot | undefined>;
  /** All committed snapshots of this agent, base images' layers included. */
  list(): Promise<Snapshot[]>;
  usage(name: SnapshotName): Promise<SnapshotUsage>;
  disk(): Promise<DiskUsage>;

  /** A writable snapshot on `parent`. Throws `backend.snapshot-missing` when the parent is gone. */
  prepare(
    parent: SnapshotName | null,
    purpose: Purpose,
    lease: Lease,
    options?: PrepareOptions,
  ): Promise<WorkingSnapshot>;
  /**
   * Puts a layer onto a working snapshot of purpose `layer`. Entries come parents before children; a directory entry for an
   * existing directory sets its metadata and keeps its content; parents that no entry names must exist.
   */
  applyLayer(working: WorkingSnapshot, entries: AsyncIterable<TreeEntry>, options?: ApplyOptions): Promise<void>;
  /**
   * Makes the working snapshot permanent under `name`. When a snapshot of that name exists already, the working one is
   * abandoned and the existing one is returned. Nothing may run on it any more.
   */
  commit(working: WorkingSnapshot, name: SnapshotName, labels: Readonly<Record<string, string>>): Promise<Snapshot>;
  /** Discards a working snapshot. Idempotent. */
  abandon(working: WorkingSnapshot): Promise<void>;
  /** Removes a committed snapshot. Throws `backend.snapshot-in-use` while it has children or an open reader. Unknown names are a success. */
  remove(name: SnapshotName): Promise<void>;
  /** Opens a committed snapshot for reading. */
  tree(name: SnapshotName): Promise<TreeReader>;

  /** Takes a cache for one step; waits where the sharing rule says so, and gives up when `signal` aborts. */
  acquireCache(request: CacheRequest, signal: AbortSignal): Promise<CacheMount>;
  listCaches(): Promise<CacheInfo[]>;
  /** Deletes a cache. Throws `backend.cache-in-use` while a step uses it. Unknown ids are a success. */
  removeCache(id: string): Promise<void>;

  close(): Promise<void>;
}

export interface PrepareOptions {
  /** How large what is written may get. Only where snapshots are disks (Windows), which grow to no less than the platform's own size. */
  readonly scratchBytes?: number | undefined;
}

export interface ApplyOptions {
  readonly signal?: AbortSignal;
  /** Bytes of content so far. */
  readonly onProgress?: (bytes: number) => void;
}
