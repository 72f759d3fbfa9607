import { expect, it } from 'vitest';

import type { TreeEntry } from '../index.ts';
import type { StoreHarness } from './harness.ts';
import {
  directory,
  file,
  freshName,
  hardLink,
  kept,
  layer,
  listing,
  metaOf,
  rejection,
  stream,
  symlink,
  textIn,
  textOf,
  withTree,
} from './support.ts';

const time = Date.UTC(2021, 5, 6, 7, 8, 9);

export function layerTests(open: () => Promise<StoreHarness>): void {
  it('owner, all twelve mode bits and whole seconds of time arrive as given', async () => {
    const harness = await open();
    const { store } = harness;
    const meta = { uid: 1000, gid: 1001, mtimeMs: time };
    const name = await layer(store, null, [
      directory('sticky', { ...meta, mode: 0o1777 }),
      directory('shared', { ...meta, mode: 0o2775 }),
      file('tool', '#!', { ...meta, mode: 0o4755 }),
      file('group-tool', '#!', { ...meta, mode: 0o2711 }),
      file('secret', 's', { ...meta, mode: 0o600 }),
    ]);
    await withTree(store, name, async (tree) => {
      const common = { uid: 1000, gid: 1001, mtimeMs: time };
      expect(await metaOf(tree, 'sticky')).toMatchObject(kept(harness, { kind: 'directory', ...common, mode: '1777' }));
      expect(await metaOf(tree, 'shared')).toMatchObject(kept(harness, { kind: 'directory', ...common, mode: '2775' }));
      expect(await metaOf(tree, 'tool')).toMatchObject(kept(harness, { kind: 'file', ...common, mode: '4755' }));
      expect(await metaOf(tree, 'group-tool')).toMatchObject(kept(harness, { kind: 'file', ...common, mode: '2711' }));
      expect(await metaOf(tree, 'secret')).toMatchObject(kept(harness, { kind: 'file', ...common, mode: '600' }));
    });
  });

  it('a directory entry for an existing directory sets its metadata and keeps its content', async () => {
    const harness = await open();
    const { store } = harness;
    const base = await layer(store, null, [
      directory('d', { mode: 0o700, uid: 5 }),
      file('d/kept', 'kept'),
      directory('other', { mode: 0o1777, uid: 7, gid: 8, mtimeMs: time }),
    ]);
    const name = await layer(store, base, [
      directory('d', { mode: 0o755, uid: 6, mtimeMs: time }),
      file('d/new', 'new'),
      directory('other', { mode: 0o1777, uid: 7, gid: 8, mtimeMs: time }),
      file('other/new', 'new'),
    ]);
    await withTree(store, name, async (tree) => {
      expect(await listing(tree, 'd')).toEqual(['directory d', 'file d/kept', 'file d/new']);
      expect(await metaOf(tree, 'd')).toMatchObject(kept(harness, { mode: '755', uid: 6, mtimeMs: time }));
      expect(await metaOf(tree, 'other')).toMatchObject(kept(harness, { mode: '1777', uid: 7, gid: 8, mtimeMs: time }));
    });
  });

  it('a file takes the place of a file, and a link that of a file', async () => {
    const harness = await open();
    const { store } = harness;
    const base = await layer(store, null, [file('a', 'old', { mode: 0o600 }), file('b', 'old')]);
    const name = await layer(store, base, [file('a', 'new', { mode: 0o755 }), symlink('b', 'a')]);
    await withTree(store, name, async (tree) => {
      expect(await textIn(tree, 'a')).toBe('new');
      expect(await metaOf(tree, 'a')).toMatchObject(kept(harness, { mode: '755' }));
      expect(await listing(tree, '')).toEqual(['directory ', 'file a', 'symlink b -> a']);
    });
  });

  it('a file takes the place of a link, not of what the link points at', async () => {
    const { store } = await open();
    const base = await layer(store, null, [file('target', 'target'), symlink('link', 'target')]);
    const name = await layer(store, base, [file('link', 'own')]);
    expect(await textOf(store, name, 'target')).toBe('target');
    expect(await textOf(store, name, 'link')).toBe('own');
  });

  it('links of every kind keep their targets: absolute, dangling, with .., hard', async () => {
    const { store } = await open();
    const name = await layer(store, null, [
      directory('d'),
      file('d/file', 'text'),
      hardLink('d/second', 'd/file'),
      symlink('d/absolute', '/d/file'),
      symlink('d/dangling', 'not/there'),
      symlink('d/up', '../d/file'),
      hardLink('third', 'd/file'),
    ]);
    await withTree(store, name, async (tree) => {
      expect(await listing(tree, '')).toEqual([
        'directory ',
        'directory d',
        'symlink d/absolute -> /d/file',
        'symlink d/dangling -> not/there',
        'file d/file',
        'hardlink d/second -> d/file',
        'symlink d/up -> ../d/file',
        'hardlink third -> d/file',
      ]);
      expect(await textIn(tree, 'third')).toBe('text');
      expect(await textIn(tree, 'd/absolute')).toBe('text');
    });
  });

  it('long names and names in any script arrive unchanged', async () => {
    const { store, files } = await open();
    const name = 'n'.repeat(255);
    const deep = Array.from({ length: 12 }, (_, index) => `${'d'.repeat(40)}${index}`);
    const parents = deep.map((_, index) => deep.slice(0, index + 1).join('/'));
    const names = [
      '日本語',
      'ελληνικά',
      'עברית',
      'e\u0301',
      '\u00e9',
      '👩‍👩‍👧',
      'with space',
      "quote'",
      '-dash',
      '[x]',
      // NTFS holds none of these.
      ...(files === 'windows' ? [] : ['tab\tnew\nline', 'back\\slash', 'quotes"', '*?']),
    ];
    const path = `${parents.at(-1)}/${name}`;
    const linkTarget = `${'t'.repeat(250)}/${'u'.repeat(250)}`;
    const snapshot = await layer(store, null, [
      ...parents.map((parent) => directory(parent)),
      file(path, 'deep'),
      symlink('long-link', linkTarget),
      hardLink(`${parents[3]}/again`, path),
      directory('scripts'),
      ...names.map((script) => file(`scripts/${script}`, script)),
    ]);
    await withTree(store, snapshot, async (tree) => {
      expect(await textIn(tree, path)).toBe('deep');
      expect(await textIn(tree, `${parents[3]}/again`)).toBe('deep');
      for (const script of names) expect(await textIn(tree, `scripts/${script}`)).toBe(script);
      expect(await listing(tree, 'long-link')).toEqual([`symlink long-link -> ${linkTarget}`]);
    });
  });

  it('names that look like whiteouts of a layer format are ordinary names', async () => {
    const { store } = await open();
    const base = await layer(store, null, [file('kept', 'kept'), directory('d'), file('d/kept', 'kept')]);
    const outcome = layer(store, base, [file('.wh.kept', 'odd')]);
    // A back end whose format cannot carry such a name refuses it loudly. What it must not do is delete something.
    const name = await outcome.catch(() => base);
    expect(await textOf(store, name, 'kept')).toBe('kept');
    expect(await textOf(store, name, 'd/kept')).toBe('kept');
  });

  it('empty files and empty directories exist', async () => {
    const { store } = await open();
    const name = await layer(store, null, [directory('empty'), file('nothing', '')]);
    await withTree(store, name, async (tree) => {
      expect(await listing(tree, '')).toEqual(['directory ', 'directory empty', 'file nothing']);
      expect(await textIn(tree, 'nothing')).toBe('');
    });
  });

  it('10,000 files in one layer arrive, and progress counts their bytes', async () => {
    const { store } = await open();
    const lease = await store.lease('conformance');
    const working = await store.prepare(null, 'layer', lease);
    const entries = [
      directory('many'),
      ...Array.from({ length: 10_000 }, (_, index) => file(`many/${index}`, 'ten bytes!')),
    ];
    let seen = 0;
    await store.applyLayer(working, stream(entries), {
      onProgress: (bytes) => {
        expect(bytes).toBeGreaterThanOrEqual(seen);
        seen = bytes;
      },
    });
    const { name } = await store.commit(working, freshName(), {});
    await lease.release();
    expect(seen).toBe(100_000);
    await withTree(store, name, async (tree) => {
      expect((await listing(tree, 'many')).length).toBe(10_001);
      expect(await textIn(tree, 'many/9999')).toBe('ten bytes!');
    });
  });

  it('two layers on one working snapshot add up', async () => {
    const { store } = await open();
    const lease = await store.lease('conformance');
    const working = await store.prepare(null, 'layer', lease);
    await store.applyLayer(working, stream([directory('d'), file('d/one', '1')]));
    await store.applyLayer(working, stream([file('d/two', '2')]));
    const { name } = await store.commit(working, freshName(), {});
    await lease.release();
    expect(await textOf(store, name, 'd/one')).toBe('1');
    expect(await textOf(store, name, 'd/two')).toBe('2');
  });

  it('vectors (4): content that throws or has another length fails the layer, and the cause comes out', async () => {
    const { store } = await open();
    const lease = await store.lease('conformance');
    const broken: TreeEntry = { ...file('a', 'text'), open: () => failing() } as TreeEntry;
    const short: TreeEntry = { ...file('a', 'text'), sizeBytes: 5 } as TreeEntry;
    for (const entry of [broken, short]) {
      const working = await store.prepare(null, 'layer', lease);
      await expect(store.applyLayer(working, stream([entry]))).rejects.toThrow();
      await store.abandon(working);
    }
    const working = await store.prepare(null, 'layer', lease);
    expect(await rejection(store.applyLayer(working, failingEntries()))).toContain('the source is gone');
    await store.abandon(working);
    await lease.release();
  });

  it('vectors (4): an aborted layer ends with general.cancelled and leaves nothing after abandon', async () => {
    const { store } = await open();
    const lease = await store.lease('conformance');
    const working = await store.prepare(null, 'layer', lease);
    const abort = new AbortController();
    const applying = store.applyLayer(
      working,
      endless(() => abort.abort()),
      { signal: abort.signal },
    );
    expect(await rejection(applying)).toBe('general.cancelled');
    await store.abandon(working);
    await lease.release();
  });
}

async function* failing(): AsyncIterable<Uint8Array> {
  yield new TextEncoder().encode('te');
  await Promise.resolve();
  throw new Error('the disk is gone');
}

async function* failingEntries(): AsyncIterable<TreeEntry> {
  yield file('a', 'text');
  await Promise.resolve();
  throw new Error('the source is gone');
}

async function* endless(afterSome: () => void): AsyncIterable<TreeEntry> {
  for (let index = 0; ; index += 1) {
    if (index === 50) afterSome();
    await new Promise((resolve) => setImmediate(resolve));
    yield file(`file-${index}`, 'text');
  }
}
