import { containersProto, eventPayloadsProto } from '@loam/containerd/proto';

import { parseFilters } from '../filters.ts';
import { fail } from '../grpc-codes.ts';
import type { Router } from '../router.ts';
import { isIdentifier, storedLabels, type ContainerRecord, type ModelState } from '../state.ts';
import { timestamp } from '../timestamp.ts';

/** Container records: reference §1.10. */
export function serveContainers(router: Router, state: ModelState): void {
  const { method } = containersProto.Containers;
  const find = (namespace: string, id: string): ContainerRecord => {
    const container = state.namespace(namespace).containers.get(id);
    if (!container) throw fail.notFound(`container ${JSON.stringify(id)} in namespace ${JSON.stringify(namespace)}`);
    return container;
  };

  router.unary(method.get, ({ id }, call) => ({ container: find(call.namespace, id) }));
  router.unary(method.list, ({ filters }, call) => {
    const matches = parseFilters(filters);
    const containers = [...state.namespace(call.namespace).containers.values()];
    return { containers: containers.filter(({ id, image, labels }) => matches({ fields: { id, image }, labels })) };
  });
  router.unary(method.create, ({ container }, call) =>
    state.write(() => {
      const { containers } = state.namespace(call.namespace);
      if (!container || !isIdentifier(container.id)) {
        throw fail.invalid(`container.ID: identifier ${JSON.stringify(container?.id)} is not valid`);
      }
      if (!container.runtime?.name) throw fail.invalid('container.Runtime.Name must be set');
      if (!container.spec) throw fail.invalid('container.Spec must be set');
      if (container.snapshotKey !== '' && container.snapshotter === '') {
        throw fail.invalid('container.Snapshotter must be set if container.SnapshotKey is set');
      }
      if (containers.has(container.id)) throw fail.exists(`container ${JSON.stringify(container.id)}`);
      const now = { $typeName: 'google.protobuf.Timestamp' as const, ...timestamp(state.clock.now()) };
      const made = { ...container, labels: storedLabels(container.labels), createdAt: now, updatedAt: now };
      containers.set(made.id, made);
      const { id, image } = made;
      state.events.publish(call.namespace, '/containers/create', eventPayloadsProto.ContainerCreateSchema, {
        id,
        image,
      });
      return { container: made };
    }),
  );
  router.unary(method.delete, ({ id }, call) =>
    state.write(() => {
      find(call.namespace, id);
      state.namespace(call.namespace).containers.delete(id);
      state.events.publish(call.namespace, '/containers/delete', eventPayloadsProto.ContainerDeleteSchema, { id });
      return {};
    }),
  );
}
