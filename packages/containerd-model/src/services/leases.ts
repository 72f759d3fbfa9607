import { randomUUID } from 'node:crypto';

import { leasesProto } from '@loam/containerd/proto';

import { collectGarbage } from '../collector.ts';
import { parseFilters } from '../filters.ts';
import { fail } from '../grpc-codes.ts';
import type { Router } from '../router.ts';
import { storedLabels, type LeaseRecord, type ModelState } from '../state.ts';
import { timestamp } from '../timestamp.ts';

/** Leases: reference §1.5. `sync` collects before it answers. */
export function serveLeases(router: Router, state: ModelState): void {
  const { method } = leasesProto.Leases;
  const toLease = ({ id, createdAtMs, labels }: LeaseRecord) => ({ id, createdAt: timestamp(createdAtMs), labels });

  router.unary(method.create, ({ id, labels }, call) =>
    state.write(() => {
      const { leases } = state.namespace(call.namespace);
      const name = id === '' ? randomUUID() : id;
      if (leases.has(name)) throw fail.exists(`lease ${JSON.stringify(name)}`);
      const lease = { id: name, createdAtMs: state.clock.now(), labels: storedLabels(labels), resources: new Map() };
      leases.set(name, lease);
      return { lease: toLease(lease) };
    }),
  );
  router.unary(method.delete, ({ id, sync }, call) =>
    state.write(() => {
      const namespace = state.namespace(call.namespace);
      namespace.lease(id);
      namespace.leases.delete(id);
      if (sync) collectGarbage(state);
      return {};
    }),
  );
  router.unary(method.list, ({ filters }, call) => {
    const matches = parseFilters(filters);
    const leases = [...state.namespace(call.namespace).leases.values()];
    return { leases: leases.filter(({ id, labels }) => matches({ fields: { id }, labels })).map(toLease) };
  });
  router.unary(method.addResource, ({ id, resource }, call) =>
    state.write(() => {
      const { id: of = '', type = '' } = resource ?? {};
      if (!/^(?:content|ingests|images|snapshots\/.+)$/.test(type)) {
        throw fail.unknown(`resource type ${JSON.stringify(type)} is not supported: not implemented`);
      }
      state.namespace(call.namespace).lease(id).resources.set(`${type} ${of}`, { id: of, type });
      return {};
    }),
  );
  router.unary(method.deleteResource, ({ id, resource }, call) =>
    state.write(() => {
      const { id: of = '', type = '' } = resource ?? {};
      state.namespace(call.namespace).lease(id).resources.delete(`${type} ${of}`);
      return {};
    }),
  );
  router.unary(method.listResources, ({ id }, call) => ({
    resources: [...state.namespace(call.namespace).lease(id).resources.values()],
  }));
}
