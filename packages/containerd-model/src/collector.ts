import type { BlobRecord, Labels, Namespace, ModelState, SnapshotRecord } from './state.ts';

const root = 'containerd.io/gc.root';
const expire = 'containerd.io/gc.expire';
const flat = 'containerd.io/gc.flat';
const contentRef = /^containerd\.io\/gc\.ref\.content(?:[./].*)?$/;
const snapshotRef = /^containerd\.io\/gc\.ref\.snapshot\.windows(?:\/.*)?$/;
const imageRef = /^containerd\.io\/gc\.ref\.image(?:[./].*)?$/;
/** Without a lease an ingest expires after a day (reference §1.6). */
const ingestLifeMs = 24 * 3600 * 1000;

/** One pass of the garbage collector over all namespaces: mark and sweep, then prune the directories (reference §2.1, §2.4). */
export function collectGarbage(state: ModelState): void {
  for (const namespace of state.namespaces.values()) collectNamespace(state, namespace);
  prune(state);
}

function collectNamespace(state: ModelState, namespace: Namespace): void {
  const nowMs = state.clock.now();
  for (const lease of namespace.leases.values()) if (isExpired(lease.labels, nowMs)) namespace.leases.delete(lease.id);
  const blobs = new Set<string>();
  const snapshots = new Set<string>();
  const images = new Set<string>();
  const leasedIngests = new Set<string>();

  const followLabels = (labels: Labels): void => {
    for (const [name, value] of Object.entries(labels)) {
      if (contentRef.test(name)) markBlob(value);
      if (snapshotRef.test(name)) markSnapshot(value);
      if (imageRef.test(name)) markImage(value);
    }
  };
  const markBlob = (digest: string, follow = true): void => {
    const blob: BlobRecord | undefined = namespace.blobs.get(digest);
    if (!blob || blobs.has(digest)) return;
    blobs.add(digest);
    if (follow) followLabels(blob.labels);
  };
  const markSnapshot = (name: string, follow = true): void => {
    const snapshot: SnapshotRecord | undefined = namespace.snapshots.get(name);
    if (!snapshot || snapshots.has(name)) return;
    snapshots.add(name);
    // A parent is no matter of labels: the snapshot cannot be without it.
    if (snapshot.parent !== '') markSnapshot(snapshot.parent, follow);
    if (follow) followLabels(snapshot.labels);
  };
  const markImage = (name: string): void => {
    const image = namespace.images.get(name);
    if (!image || images.has(name)) return;
    images.add(name);
    markBlob(image.target.digest);
    followLabels(image.labels);
  };

  for (const { labels, resources } of namespace.leases.values()) {
    const follow = labels[flat] === undefined;
    for (const { id, type } of resources.values()) {
      if (type === 'content') markBlob(id, follow);
      else if (type === 'snapshots/windows') markSnapshot(id, follow);
      else if (type === 'ingests') leasedIngests.add(id);
      else if (type === 'images') markImage(id);
    }
  }
  for (const image of namespace.images.values()) if (!isExpired(image.labels, nowMs)) markImage(image.name);
  for (const container of namespace.containers.values()) {
    if (container.snapshotter === 'windows') markSnapshot(container.snapshotKey);
    followLabels(container.labels);
  }
  for (const blob of namespace.blobs.values()) if (blob.labels[root]) markBlob(blob.digest);
  for (const snapshot of namespace.snapshots.values()) if (snapshot.labels[root]) markSnapshot(snapshot.name);

  for (const digest of namespace.blobs.keys()) if (!blobs.has(digest)) namespace.blobs.delete(digest);
  for (const name of namespace.images.keys()) if (!images.has(name)) namespace.images.delete(name);
  for (const [name, { directory }] of namespace.snapshots) {
    if (snapshots.has(name)) continue;
    namespace.snapshots.delete(name);
    state.doomed.add(directory);
  }
  for (const [ref, ingest] of namespace.ingests) {
    const isOld = nowMs - ingest.updatedAtMs > ingestLifeMs;
    if (isOld && !ingest.locked && !leasedIngests.has(ref)) namespace.ingests.delete(ref);
  }
}

/** Children first. What cannot be renamed is skipped and tried again by the next pass (reference §2.4). */
function prune(state: ModelState): void {
  for (const directory of [...state.doomed].sort((a, b) => Number(b.id) - Number(a.id))) {
    const hasChild = state.snapshotter.directories().some((other) => other.parent === directory);
    if (hasChild || directory.attachedBy !== undefined) continue;
    state.snapshotter.remove(directory);
    state.doomed.delete(directory);
  }
}

/** A time that cannot be read is ignored, and what carries it lives for ever (reference §1.5). */
function isExpired(labels: Labels, nowMs: number): boolean {
  return Date.parse(labels[expire] ?? '') <= nowMs;
}
