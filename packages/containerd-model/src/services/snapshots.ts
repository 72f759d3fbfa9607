import { sleep } from '@loam/base';
import { eventPayloadsProto, snapshotsProto } from '@loam/containerd/proto';

import { parseFilters } from '../filters.ts';
import { fail } from '../grpc-codes.ts';
import type { Call, Router } from '../router.ts';
import { storedLabels, updatedLabels, type ModelState, type SnapshotRecord } from '../state.ts';
import { timestamp } from '../timestamp.ts';

export interface SnapshotTimes {
  /** How long a commit works, of which the whole daemon's metadata sees nothing but a lock (reference §3.2). */
  readonly commitMs: (work: { readonly sizeBytes: number; readonly inodes: number }) => number;
}

const snapshotRef = 'containerd.io/snapshot.ref';
const kinds = {
  view: snapshotsProto.Kind.VIEW,
  active: snapshotsProto.Kind.ACTIVE,
  committed: snapshotsProto.Kind.COMMITTED,
} as const;

/** The metadata of snapshots, on the windows snapshotter: reference §1.8, §2, §3.2. */
export function serveSnapshots(router: Router, state: ModelState, times: SnapshotTimes): void {
  const { method } = snapshotsProto.Snapshots;
  const { snapshotter } = state;
  const find = (call: Call, of: { snapshotter: string }, key: string): SnapshotRecord => {
    checkSnapshotter(of.snapshotter);
    const snapshot = state.namespace(call.namespace).snapshots.get(key);
    if (!snapshot) throw fail.notFound(`snapshot ${key} does not exist`);
    return snapshot;
  };

  const prepare = (
    request: { snapshotter: string; key: string; parent: string; labels: Record<string, string> },
    call: Call,
    kind: 'active' | 'view',
  ) =>
    state.write(() => {
      checkSnapshotter(request.snapshotter);
      const namespace = state.namespace(call.namespace);
      const { key, parent } = request;
      const labels = storedLabels(request.labels);
      const wanted = labels[snapshotRef];
      if (wanted !== undefined && namespace.snapshots.get(wanted)?.kind === 'committed') {
        namespace.attach(call.lease, 'snapshots/windows', wanted);
        throw fail.exists(`target snapshot ${JSON.stringify(wanted)}`);
      }
      if (namespace.snapshots.has(key)) throw fail.exists(`snapshot ${JSON.stringify(key)}`);
      const below = parent === '' ? undefined : namespace.snapshots.get(parent);
      if (parent !== '' && !below) throw fail.notFound(`parent snapshot ${parent} does not exist`);
      if (below && below.kind !== 'committed') throw fail.invalid(`parent ${parent} is not committed snapshot`);
      namespace.attach(call.lease, 'snapshots/windows', key);
      const backendKey = `${call.namespace}/${++state.sequence}/${key}`;
      const directory = snapshotter.prepare(backendKey, below?.directory, kind === 'view');
      const nowMs = state.clock.now();
      namespace.snapshots.set(key, {
        name: key,
        parent,
        kind,
        labels,
        createdAtMs: nowMs,
        updatedAtMs: nowMs,
        directory,
      });
      const body = { key, parent, snapshotter: 'windows' };
      state.events.publish(call.namespace, '/snapshot/prepare', eventPayloadsProto.SnapshotPrepareSchema, body);
      return { mounts: snapshotter.mounts(directory) };
    });

  router.unary(method.prepare, (request, call) => prepare(request, call, 'active'));
  router.unary(method.view, (request, call) => prepare(request, call, 'view'));
  router.unary(method.mounts, (request, call) => {
    const { kind, directory } = find(call, request, request.key);
    if (kind === 'committed') throw fail.precondition(`requested snapshot ${request.key} not active or view`);
    return { mounts: snapshotter.mounts(directory) };
  });
  router.unary(method.commit, (request, call) =>
    state.write(async () => {
      const namespace = state.namespace(call.namespace);
      const { key, name } = request;
      const { kind, directory, parent, createdAtMs } = find(call, request, key);
      if (kind !== 'active') throw fail.precondition(`snapshot ${key} is not active`);
      if (namespace.snapshots.has(name)) throw fail.exists(`snapshot ${JSON.stringify(name)}`);
      const labels = storedLabels(request.labels);
      const durationMs = times.commitMs(snapshotter.commitWork(directory));
      if (durationMs > 0) await sleep(state.clock, durationMs);
      snapshotter.commit(directory);
      namespace.detach(call.lease, 'snapshots/windows', key);
      namespace.attach(call.lease, 'snapshots/windows', name);
      namespace.snapshots.delete(key);
      const updatedAtMs = state.clock.now();
      // Only the labels of this request: those of the key are gone (reference §0 rule 2).
      namespace.snapshots.set(name, { name, parent, kind: 'committed', labels, createdAtMs, updatedAtMs, directory });
      const body = { key, name, snapshotter: 'windows' };
      state.events.publish(call.namespace, '/snapshot/commit', eventPayloadsProto.SnapshotCommitSchema, body);
      return {};
    }),
  );
  router.unary(method.remove, (request, call) =>
    state.write(() => {
      const { directory } = find(call, request, request.key);
      const { snapshots } = state.namespace(call.namespace);
      if ([...snapshots.values()].some(({ parent }) => parent === request.key)) {
        throw fail.precondition('cannot remove snapshot with child');
      }
      snapshots.delete(request.key);
      state.doomed.add(directory);
      const body = { key: request.key, snapshotter: 'windows' };
      state.events.publish(call.namespace, '/snapshot/remove', eventPayloadsProto.SnapshotRemoveSchema, body);
      return {};
    }),
  );
  router.unary(method.stat, (request, call) => ({ info: toInfo(find(call, request, request.key)) }));
  router.unary(method.update, (request, call) =>
    state.write(() => {
      const snapshot = find(call, request, request.info?.name ?? '');
      const paths = request.updateMask?.paths ?? ['labels'];
      snapshot.labels = updatedLabels(snapshot.labels, request.info?.labels ?? {}, paths);
      snapshot.updatedAtMs = state.clock.now();
      return { info: toInfo(snapshot) };
    }),
  );
  router.stream(method.list, async function* (request, call) {
    await Promise.resolve();
    checkSnapshotter(request.snapshotter);
    const matches = parseFilters(request.filters);
    const all = [...state.namespace(call.namespace).snapshots.values()];
    const info = all
      .filter(({ name, parent, kind, labels }) => matches({ fields: { name, parent, kind }, labels }))
      .map(toInfo);
    for (let at = 0; at < info.length; at += 100) yield { info: info.slice(at, at + 100) };
  });
  router.unary(method.usage, (request, call) => {
    const { sizeBytes, inodes } = snapshotter.usage(find(call, request, request.key).directory);
    return { size: BigInt(sizeBytes), inodes: BigInt(inodes) };
  });
}

function checkSnapshotter(name: string): void {
  if (name !== 'windows') throw fail.invalid(`snapshotter not loaded: ${name}`);
}

function toInfo({ name, parent, kind, labels, createdAtMs, updatedAtMs }: SnapshotRecord) {
  return {
    name,
    parent,
    kind: kinds[kind],
    labels,
    createdAt: timestamp(createdAtMs),
    updatedAt: timestamp(updatedAtMs),
  };
}
