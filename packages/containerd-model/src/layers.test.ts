import { afterEach, describe, expect, it } from 'vitest';

import { layerTar, type LayerEntry } from './base-layer.ts';
import { commitLayer, keep, makeBase, openWorld, putBlob, runOn, wordsOf, type World } from './testing/world.ts';

const open: World[] = [];
afterEach(async () => {
  for (const world of open.splice(0)) await world.close();
});

async function withBase(): Promise<World> {
  const world = await openWorld();
  open.push(world);
  await makeBase(world, { files: { 'src/Main.c': 'int main;', 'src/old.txt': 'old' } });
  return world;
}

const head: LayerEntry[] = [
  { name: 'Hives', type: 'directory' },
  { name: 'Files', type: 'directory' },
];
/** What BuildKit writes for a file (§3.5), cut to its header: a descriptor of revision 1, self-relative. */
const descriptor = Buffer.from([1, 0, 4, 0x80, ...Array.from({ length: 16 }, () => 0)]).toString('base64');

async function apply(world: World, entries: readonly LayerEntry[]): Promise<void> {
  const key = `extract-${Math.random()}`;
  const mounts = await world.client.snapshots('windows').prepare({ key, parent: 'base', labels: keep });
  await world.client.diff.apply(await putBlob(world, await layerTar([...head, ...entries])), mounts);
}

describe('§3.4 a layer’s tar', () => {
  it('puts files on those of the parent; a whiteout takes one away', async () => {
    const world = await withBase();
    const pax = { 'MSWINDOWS.fileattr': '33', 'MSWINDOWS.rawsd': descriptor, 'LIBARCHIVE.creationtime': '1.5' };
    const tar = await layerTar([
      ...head,
      { name: 'Files/src', type: 'directory' },
      { name: 'Files/src/new.txt', content: 'new', pax },
      { name: 'Files/src/.wh.old.txt' },
      { name: 'Files/src/other.txt', type: 'link', linkname: 'Files/src/Main.c' },
    ]);
    await commitLayer(world, 'second', tar, 'base');
    expect(world.model.textIn('test', 'second', 'src/new.txt')).toBe('new');
    expect(world.model.textIn('test', 'second', 'src/old.txt')).toBeUndefined();
    expect(world.model.textIn('test', 'second', 'src/other.txt')).toBe('int main;');
    expect(world.model.textIn('test', 'base', 'src/old.txt')).toBe('old');
  });

  it.each<[string, LayerEntry, string]>([
    ['a path outside Files and Hives', { name: 'etc/passwd' }, 'lie under Files or Hives'],
    ['a directory that is not there (unverified, §3.5)', { name: 'Files/none/x' }, 'cannot find the path'],
    ['a name with a colon', { name: 'Files/a:b' }, 'syntax is incorrect'],
    ['the name of a device', { name: 'Files/aux.txt' }, 'syntax is incorrect'],
    ['a dot at the end', { name: 'Files/a.' }, 'syntax is incorrect'],
    ['attributes that are no number', { name: 'Files/a', pax: { 'MSWINDOWS.fileattr': 'x' } }, 'is no number'],
    ['attributes of a directory on a file', { name: 'Files/a', pax: { 'MSWINDOWS.fileattr': '16' } }, 'is not that of'],
    [
      'a security descriptor that is none',
      { name: 'Files/a', pax: { 'MSWINDOWS.rawsd': 'AAAA' } },
      'descriptor structure',
    ],
    ['a hard link to nothing', { name: 'Files/a', type: 'link', linkname: 'Files/none' }, 'cannot find the file'],
  ])('is refused with %s', async (_, entry, words) => {
    const world = await withBase();
    expect(await wordsOf(apply(world, [entry]))).toContain(words);
  });

  it('§3.8: names that differ only by case are one: found in any case, and refused beside each other', async () => {
    const world = await withBase();
    expect((await runOn(world, 'k', 'type C:\\SRC\\main.C')).stdout).toBe('int main;');
    const words = await wordsOf(apply(world, [{ name: 'Files/readme' }, { name: 'Files/README' }]));
    expect(words).toContain('Cannot create a file when that file already exists.');
  });

  it('takes exactly one windows-layer mount, with the parents that the snapshot has', async () => {
    const world = await withBase();
    const { client } = world;
    const blob = await putBlob(world, await layerTar(head));
    const [mount] = await client.snapshots('windows').prepare({ key: 'extract-1', parent: 'base', labels: keep });
    if (!mount) throw new Error('no mount');
    expect(await wordsOf(client.diff.apply(blob, []))).toContain('number of mounts');
    expect(await wordsOf(client.diff.apply(blob, [{ ...mount, type: 'bind' }]))).toContain(
      "invalid windows mount type: 'bind'",
    );
    expect(await wordsOf(client.diff.apply(blob, [{ ...mount, options: ['rw'] }]))).toContain('0x57');
  });
});

describe('§3.4 Diff', () => {
  it('of a snapshot against its own parent gives what was changed, as a layer that can be applied', async () => {
    const world = await withBase();
    const { client } = world;
    const snapshots = client.snapshots('windows');
    await runOn(world, 'k', 'mkdir C:\\out & echo made> C:\\out\\made.txt & del C:\\src\\old.txt');
    const right = await snapshots.mounts('k');
    const left = await snapshots.view({ key: 'below', parent: 'base', labels: keep });
    await client.leases.create({ id: 'l' });
    const diff = await client.diff.diff({ left, right }, { lease: 'l' });
    expect(diff.mediaType).toBe('application/vnd.oci.image.layer.v1.tar+gzip');
    const mounts = await snapshots.prepare({ key: 'extract-copy', parent: 'base', labels: keep });
    const applied = await client.diff.apply(diff, mounts);
    expect((await client.content.info(diff.digest)).labels['containerd.io/uncompressed']).toBe(applied.digest);
    await snapshots.commit({ name: 'copy', key: 'extract-copy', labels: keep });
    expect(world.model.textIn('test', 'copy', 'out/made.txt')).toBe('made\r\n');
    expect(world.model.textIn('test', 'copy', 'src/old.txt')).toBeUndefined();
  });

  it('of any other pair is refused', async () => {
    const world = await withBase();
    const snapshots = world.client.snapshots('windows');
    const left = await snapshots.prepare({ key: 'extract-a', labels: keep });
    const right = await snapshots.prepare({ key: 'b', parent: 'base', labels: keep });
    expect(await wordsOf(world.client.diff.diff({ left, right }))).toContain('mismatched parent mounts');
  });
});

describe('§3.2 disk usage', () => {
  it('of a step counts twice what it wrote, of a layer once, and of a step under way as it is', async () => {
    const world = await withBase();
    const snapshots = world.client.snapshots('windows');
    await runOn(world, 'k', 'echo 12345678> C:\\made.txt');
    expect((await snapshots.usage('k')).sizeBytes).toBe(10);
    await snapshots.commit({ name: 'step', key: 'k', labels: keep });
    expect((await snapshots.usage('step')).sizeBytes).toBe(20);
    const tar = await layerTar([...head, { name: 'Files/copied.txt', content: '1234567890' }]);
    await commitLayer(world, 'layer', tar, 'base');
    expect((await snapshots.usage('layer')).sizeBytes).toBe(10);
  });
});
