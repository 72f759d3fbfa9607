import { expect, it } from 'vitest';

import type { TreeReader } from '../index.ts';
import type { StoreHarness } from './harness.ts';
import { directory, file, layer, listing, rejection, symlink, textIn, withTree } from './support.ts';

const passwd = 'root:x:0:0:root:/root:/bin/sh\nbuilder:x:1000:1002:,,,:/home/builder:/bin/sh\nodd:x:77:88::/:/bin/sh\n';
const group = 'root:x:0:\nstaff:x:50:builder\nbuilders:x:1002:\n';

export function treeTests(open: () => Promise<StoreHarness>): void {
  it('resolve follows links in every component and never leaves the tree', async () => {
    const { store } = await open();
    const name = await layer(store, null, [
      directory('usr'),
      directory('usr/lib'),
      file('usr/lib/x', 'x'),
      symlink('lib', 'usr/lib'),
      symlink('absolute', '/usr/lib'),
      symlink('outside', '../../../../etc'),
      symlink('chain', 'lib/x'),
      symlink('dangling', 'usr/none/y'),
      symlink('loop', 'loop'),
    ]);
    await withTree(store, name, async (tree) => {
      const resolved = async (path: string): Promise<[string, string | undefined]> => {
        const found = await tree.resolve(path);
        return [found.path, found.entry?.kind];
      };
      expect(await resolved('lib/x')).toEqual(['usr/lib/x', 'file']);
      expect(await resolved('/lib/x')).toEqual(['usr/lib/x', 'file']);
      expect(await resolved('absolute')).toEqual(['usr/lib', 'directory']);
      expect(await resolved('chain')).toEqual(['usr/lib/x', 'file']);
      expect(await resolved('lib/.././lib//x')).toEqual(['usr/lib/x', 'file']);
      expect(await resolved('../../usr')).toEqual(['usr', 'directory']);
      expect(await resolved('outside/passwd')).toEqual(['etc/passwd', undefined]);
      expect(await resolved('lib/new/deeper')).toEqual(['usr/lib/new/deeper', undefined]);
      expect(await resolved('dangling')).toEqual(['usr/none/y', undefined]);
      expect((await resolved('loop'))[1]).toBeUndefined();
      expect(await resolved('')).toEqual(['', 'directory']);
      expect(await resolved('usr/lib/x/below-a-file')).toEqual(['usr/lib/x/below-a-file', undefined]);
    });
  });

  it('walk is pre-order with siblings in byte order, does not follow its last component, and gives nothing for nothing', async () => {
    const { store, files } = await open();
    // Where `b` and `B` are one name, another one stands before `a`.
    const capital = files === 'windows' ? 'C' : 'B';
    const base = await layer(store, null, [
      directory('d'),
      file('d/b', 'b'),
      directory('d/a'),
      file('d/a/z', 'z'),
      symlink('l', 'd'),
    ]);
    const name = await layer(store, base, [
      file(`d/${capital}`, 'B'),
      file('d/ä', 'ä'),
      file('d/a.txt', 'a'),
      file('d/a-x', 'a'),
      file('d/\u{ffff}', '3 bytes'),
      file('d/\u{10000}', '4 bytes'),
    ]);
    await withTree(store, name, async (tree) => {
      expect(await listing(tree, 'd')).toEqual([
        'directory d',
        `file d/${capital}`,
        'directory d/a',
        'file d/a/z',
        'file d/a-x',
        'file d/a.txt',
        'file d/b',
        'file d/ä',
        'file d/\u{ffff}',
        'file d/\u{10000}',
      ]);
      expect(await listing(tree, 'l')).toEqual(['symlink l -> d']);
      expect(await listing(tree, 'd/b')).toEqual(['file d/b']);
      expect(await listing(tree, 'none')).toEqual([]);
    });
  });

  it('what a layer took away by replacing is not seen', async () => {
    const { store } = await open();
    const base = await layer(store, null, [file('x', 'file'), directory('keep'), file('keep/a', 'a')]);
    const name = await layer(store, base, [directory('keep'), file('keep/b', 'b'), file('x', 'new')]);
    await withTree(store, name, async (tree) => {
      expect(await listing(tree, '')).toEqual(['directory ', 'directory keep', 'file keep/a', 'file keep/b', 'file x']);
    });
  });

  it('content opens anew at each call, also twice at the same time', async () => {
    const { store } = await open();
    const text = 'abc'.repeat(100_000);
    const name = await layer(store, null, [file('f', text)]);
    await withTree(store, name, async (tree) => {
      expect(await Promise.all([textIn(tree, 'f'), textIn(tree, 'f')])).toEqual([text, text]);
      const { entry } = await tree.resolve('f');
      if (entry?.kind !== 'file') throw new Error('no file');
      for await (const bytes of entry.open()) {
        expect(bytes.length).toBeGreaterThan(0);
        break;
      }
      expect(await textIn(tree, 'f')).toBe(text);
    });
  });

  it('owner knows the users and groups of the tree, and takes numbers as they are', async () => {
    const { store, files } = await open();
    const name = await layer(store, null, [directory('etc'), file('etc/passwd', passwd), file('etc/group', group)]);
    await withTree(store, name, async (tree) => {
      if (files === 'windows') return await windowsOwners(tree);
      const owner = async (text: string): Promise<[number, number]> => {
        const { uid, gid } = await tree.owner({ kind: 'name', name: text });
        return [uid, gid];
      };
      expect(await tree.owner({ kind: 'id', uid: 4242, gid: 4343 })).toMatchObject({ uid: 4242, gid: 4343 });
      expect(await owner('builder')).toEqual([1000, 1002]);
      expect(await owner('root')).toEqual([0, 0]);
      expect(await owner('1000')).toEqual([1000, 1002]);
      expect(await owner('4242:4343')).toEqual([4242, 4343]);
      expect(await owner('odd:staff')).toEqual([77, 50]);
      expect(await rejection(owner('nobody-such'))).toBe('backend.unknown-user');
      expect(await rejection(owner('builder:nobody-such'))).toBe('backend.unknown-user');
    });
  });

  it('a tree without users still has root', async () => {
    const { store, files } = await open();
    const name = await layer(store, null, [file('a', 'a')]);
    await withTree(store, name, async (tree) => {
      if (files === 'windows') return await windowsOwners(tree);
      expect(await tree.owner({ kind: 'name', name: 'root' })).toMatchObject({ uid: 0, gid: 0 });
      expect(await rejection(tree.owner({ kind: 'name', name: 'builder' }))).toBe('backend.unknown-user');
    });
  });
}

/** Users of Windows have a name and nothing else, and no tree tells which there are. */
async function windowsOwners(tree: TreeReader): Promise<void> {
  expect(await tree.owner({ kind: 'name', name: 'ContainerUser' })).toMatchObject({ name: 'ContainerUser' });
  expect(await rejection(tree.owner({ kind: 'id', uid: 1000, gid: 1000 }))).toBe('backend.unix-user');
  expect(await rejection(tree.owner({ kind: 'name', name: '1000:1000' }))).toBe('backend.unix-user');
}
