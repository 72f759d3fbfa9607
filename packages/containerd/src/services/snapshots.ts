import { Kind, Snapshots, type Info as InfoMessage } from '../gen/services/snapshots_pb.ts';
import { deadlines } from '../rpc/deadlines.ts';
import type { CallOptions, Rpc } from '../rpc/rpc.ts';
import { labelMask, toDate, toMounts, type Labels, type Mount } from '../values.ts';

export type SnapshotKind = 'unknown' | 'view' | 'active' | 'committed';

export interface SnapshotInfo {
  /** The key of an active snapshot or view, the name of a committed one. */
  readonly name: string;
  /** The name of the committed snapshot below it; empty at the bottom. */
  readonly parent: string;
  readonly kind: SnapshotKind;
  readonly labels: Labels;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/**
 * The snapshots of one snapshotter. A *key* names one that is being worked on, a *name* one that is committed; both
 * live in one space. Without a lease, a `containerd.io/gc.root` label or a container that refers to it, a snapshot
 * goes at the next collection.
 */
export interface SnapshotsApi {
  readonly snapshotter: string;
  /** A writable snapshot on top of `parent` (empty: on nothing), and how to mount it. */
  prepare(snapshot: { key: string; parent?: string; labels?: Labels }, options?: CallOptions): Promise<Mount[]>;
  /** The same, read-only. */
  view(snapshot: { key: string; parent?: string; labels?: Labels }, options?: CallOptions): Promise<Mount[]>;
  mounts(key: string, options?: CallOptions): Promise<Mount[]>;
  /** Makes an active snapshot permanent under `name`. It has exactly these labels: those of the key are dropped. */
  commit(snapshot: { name: string; key: string; labels?: Labels }, options?: CallOptions): Promise<void>;
  /** Removes the record. The disk is freed by a later collection. */
  remove(key: string, options?: CallOptions): Promise<void>;
  stat(key: string, options?: CallOptions): Promise<SnapshotInfo>;
  /** Sets these labels (an empty value removes one) and leaves the others. */
  update(key: string, labels: Labels, options?: CallOptions): Promise<SnapshotInfo>;
  /** Filter fields: `name`, `parent`, `kind`, `labels."key"`. */
  list(filters?: readonly string[], options?: CallOptions): Promise<SnapshotInfo[]>;
  /** What the snapshot itself takes, without its parents. */
  usage(key: string, options?: CallOptions): Promise<{ sizeBytes: number; inodes: number }>;
}

export function snapshotsApi(rpc: Rpc, snapshotter: string): SnapshotsApi {
  const { method } = Snapshots;
  return {
    snapshotter,
    async prepare({ key, parent = '', labels = {} }, options) {
      const request = { snapshotter, key, parent, labels };
      return toMounts((await rpc.unary(method.prepare, request, options, deadlines.prepare)).mounts);
    },
    async view({ key, parent = '', labels = {} }, options) {
      const request = { snapshotter, key, parent, labels };
      return toMounts((await rpc.unary(method.view, request, options, deadlines.prepare)).mounts);
    },
    async mounts(key, options) {
      return toMounts((await rpc.unary(method.mounts, { snapshotter, key }, options, deadlines.metadata)).mounts);
    },
    async commit({ name, key, labels = {} }, options) {
      await rpc.unary(method.commit, { snapshotter, name, key, labels }, options, deadlines.bulk);
    },
    async remove(key, options) {
      await rpc.unary(method.remove, { snapshotter, key }, options, deadlines.metadata);
    },
    async stat(key, options) {
      return toInfo((await rpc.unary(method.stat, { snapshotter, key }, options, deadlines.metadata)).info);
    },
    async update(key, labels, options) {
      const request = { snapshotter, info: { name: key, labels }, updateMask: labelMask(labels) };
      return toInfo((await rpc.unary(method.update, request, options, deadlines.metadata)).info);
    },
    async list(filters = [], options) {
      const infos: SnapshotInfo[] = [];
      const request = { snapshotter, filters: [...filters] };
      for await (const page of rpc.stream(method.list, request, options, deadlines.metadata)) {
        infos.push(...page.info.map(toInfo));
      }
      return infos;
    },
    async usage(key, options) {
      const { size, inodes } = await rpc.unary(method.usage, { snapshotter, key }, options, deadlines.bulk);
      return { sizeBytes: Number(size), inodes: Number(inodes) };
    },
  };
}

const kinds: Record<number, SnapshotKind> = {
  [Kind.VIEW]: 'view',
  [Kind.ACTIVE]: 'active',
  [Kind.COMMITTED]: 'committed',
};

function toInfo(info: InfoMessage | undefined): SnapshotInfo {
  return {
    name: info?.name ?? '',
    parent: info?.parent ?? '',
    kind: kinds[info?.kind ?? 0] ?? 'unknown',
    labels: { ...info?.labels },
    createdAt: toDate(info?.createdAt),
    updatedAt: toDate(info?.updatedAt),
  };
}
