import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { SnapshotName, TreeEntry } from '@loam/backend';
import { startContainerd, type ContainerdServer } from '@loam/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { openTestBackend, type TestBackend } from './testing/test-backend.ts';

let server: ContainerdServer;
const opened: TestBackend[] = [];
let names = 0;

beforeAll(async () => {
  server = await startContainerd();
});
afterAll(() => server.stop());
afterEach(async () => {
  for (const test of opened.splice(0)) {
    const left = await test.leftovers();
    await test.close();
    expect(left).toEqual([]);
  }
});

async function open(layersAsTar: boolean): Promise<TestBackend> {
  const test = await openTestBackend(server, { layersAsTar });
  opened.push(test);
  return test;
}

async function layer(
  { backend }: TestBackend,
  parent: SnapshotName | null,
  list: readonly TreeEntry[],
): Promise<SnapshotName> {
  const { store } = backend;
  const lease = await store.lease('test');
  const working = await store.prepare(parent, 'layer', lease);
  try {
    await store.applyLayer(working, entries(list));
    return (await store.commit(working, `store-test-${++names}` as SnapshotName, {})).name;
  } finally {
    await store.abandon(working);
    await lease.release();
  }
}

async function* entries(list: readonly TreeEntry[]): AsyncIterable<TreeEntry> {
  yield* list;
}

const meta = { uid: 0, gid: 0, mode: 0o755, mtimeMs: 1_600_000_000_000 };

function directory(path: string): TreeEntry {
  return { ...meta, kind: 'directory', path };
}

function file(path: string, sizeBytes: number): TreeEntry {
  async function* content(): AsyncIterable<Uint8Array> {
    const chunk = Buffer.alloc(1 << 20, 'x');
    for (let left = sizeBytes; left > 0; left -= chunk.length) yield chunk.subarray(0, left);
  }
  return { ...meta, kind: 'file', path, sizeBytes, open: content };
}

describe.each([
  ['through a mount', false],
  ['as tar', true],
])('layers %s', (_, layersAsTar) => {
  it('a link of the image leads no write out of it', async () => {
    const test = await open(layersAsTar);
    const outside = await mkdtemp(join(tmpdir(), 'loam-outside-'));
    const base = await layer(test, null, [{ ...meta, kind: 'symlink', path: 'way-out', target: outside }]);
    await layer(test, base, [file('way-out/evil', 3)]).catch(() => undefined);
    await layer(test, base, [directory('way-out'), file('way-out/tame', 3)]);
    expect(await readdir(outside)).toEqual([]);
    await rm(outside, { recursive: true });
  });

  it('devices and FIFOs arrive with their numbers, modes and owners', async () => {
    const test = await open(layersAsTar);
    const name = await layer(test, null, [
      { ...meta, kind: 'character-device', path: 'null', major: 1, minor: 3, mode: 0o666 },
      { ...meta, kind: 'block-device', path: 'block', major: 259, minor: 300, mode: 0o600, uid: 7 },
      { ...meta, kind: 'fifo', path: 'pipe', major: 0, minor: 0, mode: 0o622 },
    ]);
    const tree = await test.backend.store.tree(name);
    const found: TreeEntry[] = [];
    for await (const entry of tree.walk('')) found.push(entry);
    await tree.close();
    expect(found.slice(1)).toMatchObject([
      { path: 'block', kind: 'block-device', major: 259, minor: 300, mode: 0o600, uid: 7 },
      { path: 'null', kind: 'character-device', major: 1, minor: 3, mode: 0o666, mtimeMs: meta.mtimeMs },
      { path: 'pipe', kind: 'fifo', mode: 0o622 },
    ]);
  });

  it('a directory takes the place of a file, and a file that of a directory with all in it', async () => {
    const test = await open(layersAsTar);
    const base = await layer(test, null, [file('a', 1), directory('b'), file('b/inner', 1)]);
    const name = await layer(test, base, [directory('a'), file('a/inner', 2), file('b', 2)]);
    const tree = await test.backend.store.tree(name);
    const found: string[] = [];
    for await (const entry of tree.walk('')) found.push(`${entry.kind} ${entry.path}`);
    await tree.close();
    expect(found).toEqual(['directory ', 'directory a', 'file a/inner', 'file b']);
  });
});

it('a directory that no entry names keeps its time when something is written into it', async () => {
  const test = await open(false);
  const base = await layer(test, null, [directory('d'), directory('d/e')]);
  const name = await layer(test, base, [file('d/e/new', 1)]);
  const tree = await test.backend.store.tree(name);
  for (const path of ['d', 'd/e']) expect((await tree.resolve(path)).entry).toMatchObject({ mtimeMs: meta.mtimeMs });
  await tree.close();
});

it('a file over 2 GiB arrives whole', async () => {
  const test = await open(false);
  const sizeBytes = 2 ** 31 + 4097;
  const name = await layer(test, null, [file('big', sizeBytes)]);
  const tree = await test.backend.store.tree(name);
  const { entry } = await tree.resolve('big');
  await tree.close();
  expect(entry).toMatchObject({ kind: 'file', sizeBytes });
  await test.backend.store.remove(name);
  await test.collectGarbage();
});
