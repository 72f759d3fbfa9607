import { anyJson, anyRuntimeOptions, unpackJson, type RuntimeOptions } from '../any.ts';
import { Containers, type Container as ContainerMessage } from '../gen/services/containers_pb.ts';
import { deadlines } from '../rpc/deadlines.ts';
import type { CallOptions, Rpc } from '../rpc/rpc.ts';
import { toDate, type Labels } from '../values.ts';

/** A container to be: at most 76 characters of id, letters and digits with single `.`, `_` or `-` between them. */
export interface NewContainer {
  readonly id: string;
  readonly labels?: Labels;
  readonly image?: string;
  /** `io.containerd.runc.v2` or `io.containerd.runhcs.v1`. */
  readonly runtime: { readonly name: string; readonly options?: RuntimeOptions };
  /** The OCI runtime specification, stored as it is; containerd adds no defaults. */
  readonly spec: object;
  /** With `snapshotKey` it protects that snapshot from collection; the root file system is named in `tasks.create`. */
  readonly snapshotter?: string;
  readonly snapshotKey?: string;
}

export interface Container {
  readonly id: string;
  readonly labels: Labels;
  readonly image: string;
  readonly runtimeName: string;
  /** The document that was given at creation. */
  readonly spec: unknown;
  readonly snapshotter: string;
  readonly snapshotKey: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** Records of containers; what runs is a task. A record is a root of garbage collection. */
export interface ContainersApi {
  create(container: NewContainer, options?: CallOptions): Promise<Container>;
  get(id: string, options?: CallOptions): Promise<Container>;
  list(filters?: readonly string[], options?: CallOptions): Promise<Container[]>;
  /** Deletes the record, not its snapshot. */
  delete(id: string, options?: CallOptions): Promise<void>;
}

export function containersApi(rpc: Rpc): ContainersApi {
  const { method } = Containers;
  return {
    async create({ id, labels = {}, image = '', runtime, spec, snapshotter = '', snapshotKey = '' }, options) {
      const container = {
        id,
        labels,
        image,
        runtime: { name: runtime.name, ...(runtime.options && { options: anyRuntimeOptions(runtime.options) }) },
        spec: anyJson('spec', spec),
        snapshotter,
        snapshotKey,
      };
      const answer = await rpc.unary(method.create, { container }, options, deadlines.metadata);
      return toContainer(answer.container);
    },
    async get(id, options) {
      return toContainer((await rpc.unary(method.get, { id }, options, deadlines.metadata)).container);
    },
    async list(filters = [], options) {
      const { containers } = await rpc.unary(method.list, { filters: [...filters] }, options, deadlines.metadata);
      return containers.map(toContainer);
    },
    async delete(id, options) {
      await rpc.unary(method.delete, { id }, options, deadlines.metadata);
    },
  };
}

function toContainer(container: ContainerMessage | undefined): Container {
  return {
    id: container?.id ?? '',
    labels: { ...container?.labels },
    image: container?.image ?? '',
    runtimeName: container?.runtime?.name ?? '',
    spec: unpackJson(container?.spec),
    snapshotter: container?.snapshotter ?? '',
    snapshotKey: container?.snapshotKey ?? '',
    createdAt: toDate(container?.createdAt),
    updatedAt: toDate(container?.updatedAt),
  };
}
