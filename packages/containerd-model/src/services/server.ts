import { introspectionProto, namespacesProto, versionProto } from '@loam/containerd/proto';

import { fail } from '../grpc-codes.ts';
import type { Router } from '../router.ts';
import { isIdentifier, Namespace, storedLabels, type ModelState } from '../state.ts';
import { parseFilters } from '../filters.ts';

export interface ServerFacts {
  /** `v1.7.27`, `v2.2.0`. */
  readonly version: string;
  /** As on ReFS: the plugin is there and cannot be used (reference §1.4, §3.1). */
  readonly snapshotterInitError: string | undefined;
}

/** Version, Introspection, Namespaces: reference §1.4. */
export function serveServer(router: Router, state: ModelState, facts: ServerFacts): void {
  router.unary(versionProto.Version.method.version, () => ({ version: facts.version, revision: 'model' }));
  router.unary(introspectionProto.Introspection.method.server, () => ({
    uuid: 'containerd-model',
    pid: 1n,
    pidns: 0n,
  }));
  router.unary(introspectionProto.Introspection.method.plugins, ({ filters }) => {
    const matches = parseFilters(filters);
    return { plugins: plugins(facts).filter(({ type, id }) => matches({ fields: { type, id }, labels: {} })) };
  });
  const { method } = namespacesProto.Namespaces;
  router.unary(method.create, ({ namespace }) =>
    state.write(() => {
      const { name = '', labels = {} } = namespace ?? {};
      if (!isIdentifier(name)) throw fail.invalid(`identifier ${JSON.stringify(name)} is not valid`);
      if (state.namespaces.has(name)) throw fail.exists(`namespace ${JSON.stringify(name)}`);
      const made = new Namespace(name);
      Object.assign(made.labels, storedLabels(labels));
      state.namespaces.set(name, made);
      return { namespace: { name, labels: made.labels } };
    }),
  );
  router.unary(method.list, () => ({
    namespaces: [...state.namespaces.values()].map(({ name, labels }) => ({ name, labels })),
  }));
  router.unary(method.delete, ({ name }) =>
    state.write(() => {
      const namespace = state.namespaces.get(name);
      if (!namespace) throw fail.notFound(`namespace ${JSON.stringify(name)}`);
      if (!namespace.isEmpty()) throw fail.precondition(`namespace ${JSON.stringify(name)} must be empty`);
      state.namespaces.delete(name);
      return {};
    }),
  );
}

function plugins({ snapshotterInitError, version }: ServerFacts) {
  const windows = { os: 'windows', architecture: 'amd64' };
  const plugin = (type: string, id: string) => ({ type: `io.containerd.${type}.v1`, id, platforms: [windows] });
  return [
    plugin('content', 'content'),
    {
      ...plugin('snapshotter', 'windows'),
      // No exports: the root is told by mounts only (reference §1.4).
      ...(snapshotterInitError === undefined ? {} : { initErr: { code: 2, message: snapshotterInitError } }),
    },
    plugin('differ', 'windows'),
    plugin('grpc', 'tasks'),
    ...(version.startsWith('v1.6') ? [] : [plugin('transfer', 'local')]),
  ];
}
