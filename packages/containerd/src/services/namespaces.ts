import { isLoamError } from '@loam/base';
import { Namespaces } from '../gen/services/namespaces_pb.ts';
import { deadlines } from '../rpc/deadlines.ts';
import type { CallOptions, Rpc } from '../rpc/rpc.ts';
import type { Labels } from '../values.ts';

export interface Namespace {
  readonly name: string;
  readonly labels: Labels;
}

export interface NamespacesApi {
  /** Creates the namespace unless it is there; labels are set only on a new one. The client's own unless named. */
  ensure(name?: string, labels?: Labels, options?: CallOptions): Promise<void>;
  list(options?: CallOptions): Promise<Namespace[]>;
  /** Fails with `containerd.failed-precondition` while anything remains in it. */
  delete(name: string, options?: CallOptions): Promise<void>;
}

export function namespacesApi(rpc: Rpc): NamespacesApi {
  return {
    async ensure(name = rpc.namespace, labels = {}, options) {
      const request = { namespace: { name, labels } };
      try {
        await rpc.unary(Namespaces.method.create, request, options, deadlines.metadata);
      } catch (error) {
        if (!isLoamError(error, 'containerd.already-exists')) throw error;
      }
    },
    async list(options) {
      const { namespaces } = await rpc.unary(Namespaces.method.list, {}, options, deadlines.metadata);
      return namespaces.map(({ name, labels }) => ({ name, labels: { ...labels } }));
    },
    async delete(name, options) {
      await rpc.unary(Namespaces.method.delete, { name }, options, deadlines.metadata);
    },
  };
}
