import { Leases, type Lease as LeaseMessage } from '../gen/services/leases_pb.ts';
import { deadlines } from '../rpc/deadlines.ts';
import type { CallOptions, Rpc } from '../rpc/rpc.ts';
import { toDate, type Labels } from '../values.ts';

export interface Lease {
  readonly id: string;
  readonly createdAt: Date;
  readonly labels: Labels;
}

/** What a lease holds: `content` (id is a digest), `ingests` (a ref) or `snapshots/<snapshotter>` (a key or name). */
export interface LeaseResource {
  readonly id: string;
  readonly type: string;
}

/** Leases keep what they hold from being collected. Name one in a call's options to attach what the call creates. */
export interface LeasesApi {
  /** `expiresAt` becomes the label `containerd.io/gc.expire`; without it the lease lives until it is deleted. */
  create(lease: { id: string; labels?: Labels; expiresAt?: Date }, options?: CallOptions): Promise<Lease>;
  /** With `sync` the garbage has been collected when this resolves. */
  delete(id: string, options?: CallOptions & { readonly sync?: boolean }): Promise<void>;
  list(filters?: readonly string[], options?: CallOptions): Promise<Lease[]>;
  addResource(id: string, resource: LeaseResource, options?: CallOptions): Promise<void>;
  deleteResource(id: string, resource: LeaseResource, options?: CallOptions): Promise<void>;
  listResources(id: string, options?: CallOptions): Promise<LeaseResource[]>;
}

export function leasesApi(rpc: Rpc): LeasesApi {
  return {
    async create({ id, labels, expiresAt }, options) {
      const request = {
        id,
        labels: { ...labels, ...(expiresAt && { 'containerd.io/gc.expire': expiresAt.toISOString() }) },
      };
      const { lease } = await rpc.unary(Leases.method.create, request, options, deadlines.metadata);
      return toLease(lease);
    },
    async delete(id, options) {
      const sync = options?.sync ?? false;
      await rpc.unary(Leases.method.delete, { id, sync }, options, sync ? deadlines.collect : deadlines.metadata);
    },
    async list(filters = [], options) {
      const { leases } = await rpc.unary(Leases.method.list, { filters: [...filters] }, options, deadlines.metadata);
      return leases.map(toLease);
    },
    async addResource(id, resource, options) {
      await rpc.unary(Leases.method.addResource, { id, resource }, options, deadlines.metadata);
    },
    async deleteResource(id, resource, options) {
      await rpc.unary(Leases.method.deleteResource, { id, resource }, options, deadlines.metadata);
    },
    async listResources(id, options) {
      const { resources } = await rpc.unary(Leases.method.listResources, { id }, options, deadlines.metadata);
      return resources.map((resource) => ({ id: resource.id, type: resource.type }));
    },
  };
}

function toLease(lease: LeaseMessage | undefined): Lease {
  return { id: lease?.id ?? '', createdAt: toDate(lease?.createdAt), labels: { ...lease?.labels } };
}
