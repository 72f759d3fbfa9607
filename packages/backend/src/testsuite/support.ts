import { afterEach, expect } from 'vitest';

import type { SnapshotName, Store, TreeEntry, TreeReader } from '../index.ts';
import type { HarnessFactory } from './harness.ts';

/** Opens a harness per test, and after each test demands that nothing is left over. */
export function useHarness<
  H extends { readonly leftovers: () => Promise<string[]>; readonly close: () => Promise<void> },
>(factory: HarnessFactory<H>): () => Promise<H> {
  const open: H[] = [];
  afterEach(async () => {
    for (const harness of open.splice(0)) {
      const left = await harness.leftovers();
      await harness.close();
      expect(left).toEqual([]);
    }
  });
  return async () => {
    const harness = await factory();
    open.push(harness);
    return harness;
  };
}

let names = 0;
/** A snapshot name that no other test has. */
export function freshName(): SnapshotName {
  names += 1;
  return `suite-${process.pid}-${names}` as SnapshotName;
}

const made = { uid: 0, gid: 0, mtimeMs: Date.UTC(2024, 0, 2, 3, 4, 5) };

export function directory(path: string, meta: Partial<TreeEntry> = {}): TreeEntry {
  return { ...made, mode: 0o755, ...meta, kind: 'directory', path } as TreeEntry;
}

export function file(path: string, text: string, meta: Partial<TreeEntry> = {}): TreeEntry {
  const bytes = new TextEncoder().encode(text);
  return {
    ...made,
    mode: 0o644,
    ...meta,
    kind: 'file',
    path,
    sizeBytes: bytes.length,
    async *open() {
      await Promise.resolve();
      if (bytes.length > 0) yield bytes;
    },
  } as TreeEntry;
}

export function symlink(path: string, target: string): TreeEntry {
  return { ...made, mode: 0o777, kind: 'symlink', path, target };
}

export function hardLink(path: string, target: string): TreeEntry {
  return { ...made, mode: 0o644, kind: 'hardlink', path, target };
}

export async function* stream(entries: Iterable<TreeEntry>): AsyncIterable<TreeEntry> {
  for (const entry of entries) {
    await Promise.resolve();
    yield entry;
  }
}

/** Commits a layer of `entries` on `parent`. */
export async function layer(
  store: Store,
  parent: SnapshotName | null,
  entries: Iterable<TreeEntry>,
  name: SnapshotName = freshName(),
): Promise<SnapshotName> {
  const lease = await store.lease('conformance');
  try {
    const working = await store.prepare(parent, 'layer', lease);
    try {
      await store.applyLayer(working, stream(entries));
      return (await store.commit(working, name, {})).name;
    } catch (error) {
      await store.abandon(working);
      throw error;
    }
  } finally {
    await lease.release();
  }
}

/** Opens a snapshot for the time of `use`. */
export async function withTree<T>(store: Store, name: SnapshotName, use: (tree: TreeReader) => Promise<T>): Promise<T> {
  const tree = await store.tree(name);
  try {
    return await use(tree);
  } finally {
    await tree.close();
  }
}

/** Text of a file in an open tree; undefined when no file is there. */
export async function textIn(tree: TreeReader, path: string): Promise<string | undefined> {
  const { entry } = await tree.resolve(path);
  if (entry?.kind !== 'file') return undefined;
  const parts: Uint8Array[] = [];
  for await (const bytes of entry.open()) parts.push(bytes.slice());
  return Buffer.concat(parts).toString();
}

/** Text of a file in a snapshot. */
export function textOf(store: Store, name: SnapshotName, path: string): Promise<string | undefined> {
  return withTree(store, name, (tree) => textIn(tree, path));
}

/** Everything at and below a path, as short lines: kind, path, and what else `describe` shows. */
export async function listing(tree: TreeReader, path: string): Promise<string[]> {
  const lines: string[] = [];
  for await (const entry of tree.walk(path)) {
    const target = entry.kind === 'symlink' || entry.kind === 'hardlink' ? ` -> ${entry.target}` : '';
    lines.push(`${entry.kind} ${entry.path}${target}`);
  }
  return lines;
}

/** The entry at a path, which must be there, without its content. */
export async function metaOf(
  tree: TreeReader,
  path: string,
): Promise<{ kind: string; uid: number; gid: number; mode: string; mtimeMs: number }> {
  const { entry } = await tree.resolve(path);
  if (!entry) throw new Error(`nothing at ${path}`);
  const { kind, uid, gid, mode, mtimeMs } = entry;
  return { kind, uid, gid, mode: mode.toString(8), mtimeMs };
}

/** What `metaOf` is to give: all of it, and of what Windows does not keep nothing. */
export function kept<M extends { uid?: number; gid?: number; mode?: string }>(
  harness: { readonly files?: 'posix' | 'windows' },
  meta: M,
): Partial<M> {
  if (harness.files !== 'windows') return meta;
  const { uid: _uid, gid: _gid, mode: _mode, ...rest } = meta;
  return rest as Partial<M>;
}

/** The code with which a promise is rejected; fails when it is not. */
export async function rejection(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => new Error('it was fulfilled'),
    (reason: unknown) => reason,
  );
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

/** Real time, because a real process must get the chance to do what it must not do. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
