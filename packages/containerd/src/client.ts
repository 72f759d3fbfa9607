import { systemClock, type Clock } from '@loam/base';
import { createRpc } from './rpc/rpc.ts';
import { containersApi, type ContainersApi } from './services/containers.ts';
import { contentApi, type ContentApi } from './services/content.ts';
import { diffApi, type DiffApi } from './services/diff.ts';
import { eventsApi, type EventsApi } from './services/events.ts';
import { imagesApi, type ImagesApi } from './services/images.ts';
import { leasesApi, type LeasesApi } from './services/leases.ts';
import { namespacesApi, type NamespacesApi } from './services/namespaces.ts';
import { serverApi, type ServerApi } from './services/server.ts';
import { snapshotsApi, type SnapshotsApi } from './services/snapshots.ts';
import { tasksApi, type TasksApi } from './services/tasks.ts';

/**
 * A client of one daemon in one namespace. Every method can fail with `containerd.unavailable`,
 * `containerd.deadline-exceeded` and `general.cancelled` beside what it names itself.
 */
export interface Containerd extends ServerApi {
  readonly address: string;
  readonly namespace: string;
  readonly namespaces: NamespacesApi;
  readonly leases: LeasesApi;
  readonly content: ContentApi;
  readonly images: ImagesApi;
  readonly diff: DiffApi;
  readonly containers: ContainersApi;
  readonly tasks: TasksApi;
  readonly events: EventsApi;
  /** The snapshots of a snapshotter, such as `overlayfs` or `windows`. */
  snapshots(snapshotter: string): SnapshotsApi;
  /** Ends the connection; calls that are under way fail with `containerd.unavailable`. */
  close(): void;
}

/**
 * A client for the daemon at `address`: `unix:///path` or `/path`, on Windows `npipe:////./pipe/name` or
 * `\\.\pipe\name`. The connection is opened by the first call, and anew after the daemon was away.
 *
 * @throws LoamError `containerd.bad-address`
 */
export function connect(config: { address: string; namespace: string; clock?: Clock }): Containerd {
  const { address, namespace, clock = systemClock } = config;
  const rpc = createRpc({ address, namespace, clock });
  return {
    ...serverApi(rpc),
    address,
    namespace,
    namespaces: namespacesApi(rpc),
    leases: leasesApi(rpc),
    content: contentApi(rpc),
    images: imagesApi(rpc),
    diff: diffApi(rpc),
    containers: containersApi(rpc),
    tasks: tasksApi(rpc),
    events: eventsApi(rpc),
    snapshots: (snapshotter) => snapshotsApi(rpc, snapshotter),
    close: () => rpc.close(),
  };
}
