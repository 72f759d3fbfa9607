import type { Snapshot, SnapshotName, Store, TreeReader } from '@loam/backend';

/**
 * A store whose first layers lie on a base image instead of on nothing: real Windows reads a snapshot by running tar in it, and
 * nothing runs on a layer alone. The base shows neither as a parent nor in trees, so that the store's suite holds as it stands.
 */
export async function onGround(store: Store, ground: SnapshotName): Promise<Store> {
  const below = await chainOf(store, ground);
  const names = await topNames(store, ground);
  const shown = (snapshot: Snapshot): Snapshot =>
    snapshot.parent === ground ? { ...snapshot, parent: null } : snapshot;
  return {
    ...bound(store),
    prepare: (parent, ...rest) => store.prepare(parent ?? ground, ...rest),
    stat: async (name) => {
      const found = await store.stat(name);
      return found && shown(found);
    },
    list: async () => (await store.list()).filter(({ name }) => !below.has(name)).map(shown),
    commit: async (...given) => shown(await store.commit(...given)),
    tree: async (name) => hiding(await store.tree(name), names),
  };
}

async function chainOf(store: Store, top: SnapshotName): Promise<ReadonlySet<SnapshotName>> {
  const chain = new Set<SnapshotName>();
  for (let name: SnapshotName | null = top; name !== null;) {
    chain.add(name);
    name = (await store.stat(name))?.parent ?? null;
  }
  return chain;
}

/** Methods of a class do not survive a spread. */
function bound(store: Store): Store {
  return {
    reconcile: () => store.reconcile(),
    lease: (owner) => store.lease(owner),
    stat: (name) => store.stat(name),
    list: () => store.list(),
    usage: (name) => store.usage(name),
    disk: () => store.disk(),
    prepare: (...given) => store.prepare(...given),
    applyLayer: (...given) => store.applyLayer(...given),
    commit: (...given) => store.commit(...given),
    abandon: (working) => store.abandon(working),
    remove: (name) => store.remove(name),
    tree: (name) => store.tree(name),
    acquireCache: (...given) => store.acquireCache(...given),
    listCaches: () => store.listCaches(),
    removeCache: (id) => store.removeCache(id),
    close: () => store.close(),
  };
}

function hiding(tree: TreeReader, names: ReadonlySet<string>): TreeReader {
  const isHidden = (path: string): boolean => names.has(topOf(path));
  return {
    resolve: (path) => tree.resolve(path),
    async *walk(path) {
      for await (const entry of tree.walk(path)) if (!isHidden(entry.path)) yield entry;
    },
    owner: (user) => tree.owner(user),
    close: () => tree.close(),
  };
}

async function topNames(store: Store, ground: SnapshotName): Promise<ReadonlySet<string>> {
  const tree = await store.tree(ground);
  try {
    const names = new Set<string>();
    for await (const { path } of tree.walk('')) names.add(topOf(path));
    names.delete('');
    return names;
  } finally {
    await tree.close();
  }
}

function topOf(path: string): string {
  return (path.split('/')[0] ?? '').toLowerCase();
}
