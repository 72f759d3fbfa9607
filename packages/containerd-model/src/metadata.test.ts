import { createHash } from 'node:crypto';
import { gzipSync, zstdCompressSync } from 'node:zlib';

import { TestClock } from '@loam/base';
import { afterEach, describe, expect, it } from 'vitest';

import { baseLayer } from './base-layer.ts';
import type { ContainerdModelOptions } from './index.ts';
import { commitLayer, keep, layerType, makeBase, openWorld, putBlob, wordsOf, type World } from './testing/world.ts';

const open: World[] = [];
afterEach(async () => {
  for (const world of open.splice(0)) await world.close();
});

async function newWorld(options: Partial<ContainerdModelOptions> = {}): Promise<World> {
  const world = await openWorld(options);
  open.push(world);
  return world;
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const digestOf = (bytes: Uint8Array): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
async function* pieces(...parts: Uint8Array[]) {
  await Promise.resolve();
  yield* parts;
}

describe('§1.4 version, plugins, namespaces', () => {
  it('tells the version it stands for, and a snapshotter that cannot be used on ReFS', async () => {
    const initError = 'C:\\root is not on an NTFS volume - only NTFS volumes are supported';
    const { client } = await newWorld({ version: 'v1.7.27', snapshotterInitError: initError });
    expect((await client.version()).version).toBe('v1.7.27');
    const [plugin] = await client.plugins(['type==io.containerd.snapshotter.v1,id==windows']);
    expect(plugin).toMatchObject({ id: 'windows', initError });
    expect(await client.plugins(['type==io.containerd.differ.v1'])).toHaveLength(1);
  });

  it('§1.1: names that are not identifiers, labels over 4096 bytes and calls without a namespace are refused', async () => {
    const { client } = await newWorld();
    const spec = { id: 'a--b', runtime: { name: 'r' }, spec: {} };
    await expect(client.containers.create(spec)).rejects.toMatchObject({ code: 'containerd.invalid-argument' });
    const labels = { long: 'x'.repeat(4096) };
    await expect(client.leases.create({ id: 'l', labels })).rejects.toMatchObject({
      code: 'containerd.invalid-argument',
    });
  });
});

describe('§1.5 leases', () => {
  it('a header that names a missing lease fails', async () => {
    const { client } = await newWorld();
    const call = client.snapshots('windows').prepare({ key: 'k' }, { lease: 'none' });
    expect(await wordsOf(call)).toContain('does not exist');
  });

  it('an expired lease protects nothing, and one whose time cannot be read lives for ever', async () => {
    const clock = new TestClock();
    const { client, model } = await newWorld({ clock });
    const snapshots = client.snapshots('windows');
    const expiry = new Date(clock.now() + 1000).toISOString();
    await client.leases.create({ id: 'short', labels: { 'containerd.io/gc.expire': expiry } });
    await client.leases.create({ id: 'odd', labels: { 'containerd.io/gc.expire': 'tomorrow' } });
    await snapshots.prepare({ key: 'a' }, { lease: 'short' });
    await snapshots.prepare({ key: 'b' }, { lease: 'odd' });
    await clock.advance(2000);
    await model.collectGarbage();
    expect((await snapshots.list()).map(({ name }) => name)).toEqual(['b']);
    expect((await client.leases.list()).map(({ id }) => id)).toEqual(['odd']);
  });
});

describe('§1.6 content', () => {
  it('a write ends where it was cut off, and goes on from there', async () => {
    const { client } = await newWorld();
    const mebibyte = 1024 * 1024;
    const bytes = new Uint8Array(2 * mebibyte).fill(7);
    const broken = client.content.writeBlob({
      ref: 'r',
      source: async function* () {
        yield* pieces(bytes.subarray(0, mebibyte));
        await expect.poll(async () => (await client.content.status('r')).offset).toBe(mebibyte);
        throw new Error('cut off');
      },
    });
    await expect(broken).rejects.toThrow('cut off');
    const offsets: number[] = [];
    const written = await client.content.writeBlob({
      ref: 'r',
      source: (offset) => {
        offsets.push(offset);
        return pieces(bytes.subarray(offset));
      },
      expected: digestOf(bytes),
    });
    expect(offsets).toEqual([mebibyte]);
    expect(written).toMatchObject({ digest: digestOf(bytes), size: 2 * mebibyte, existed: false });
    await expect(client.content.status('r')).rejects.toMatchObject({ code: 'containerd.not-found' });
  });

  it('a digest or size that was not promised is a failed precondition', async () => {
    const { client } = await newWorld();
    const source = () => pieces(text('other'));
    const wrong = client.content.writeBlob({ ref: 'r', source, expected: digestOf(text('promised')) });
    await expect(wrong).rejects.toMatchObject({ code: 'containerd.failed-precondition' });
  });

  it('what is there already is ALREADY_EXISTS, and belongs to the lease that asked', async () => {
    const world = await newWorld();
    const { client, model } = world;
    const { digest } = await putBlob(world, text('twice'), {});
    await client.leases.create({ id: 'l' });
    const again = await client.content.writeBlob(
      { ref: 'other', source: () => pieces(text('twice')), expected: digest },
      { lease: 'l' },
    );
    expect(again.existed).toBe(true);
    await model.collectGarbage();
    expect(await client.content.exists(digest)).toBe(true);
    await client.leases.delete('l', { sync: true });
    expect(await client.content.exists(digest)).toBe(false);
  });

  it('a ref has one writer: another one finds it locked', async () => {
    const { client, model } = await newWorld();
    let finish: () => void = () => undefined;
    const first = client.content.writeBlob({
      ref: 'r',
      source: async function* () {
        await new Promise<void>((resolve) => (finish = resolve));
        yield text('x');
      },
    });
    await expect.poll(() => model.faults.calls.filter((name) => name === 'Content.Write')).toHaveLength(1);
    const abort = new AbortController();
    const second = client.content.writeBlob({ ref: 'r', source: () => pieces(text('y')) }, { signal: abort.signal });
    await expect.poll(() => model.faults.calls.filter((name) => name === 'Content.Write').length).toBeGreaterThan(2);
    abort.abort();
    await expect(second).rejects.toMatchObject({ code: 'general.cancelled' });
    finish();
    await first;
  });

  it('a read gives the bytes from an offset, and none beyond the end', async () => {
    const world = await newWorld();
    const { digest } = await putBlob(world, text('0123456789'));
    const parts: Uint8Array[] = [];
    for await (const part of world.client.content.read(digest, { offset: 3, size: 4 })) parts.push(part);
    expect(Buffer.concat(parts).toString()).toBe('3456');
    await expect(
      world.client.content.read(digest, { offset: 11 })[Symbol.asyncIterator]().next(),
    ).rejects.toMatchObject({
      code: 'containerd.out-of-range',
    });
  });
});

describe('§2 garbage collection', () => {
  it('§2.1: image, manifest, config and the snapshots below are held by the record; without it all goes', async () => {
    const world = await newWorld();
    const { client, model } = world;
    await commitLayer(world, 'top', await baseLayer());
    const { digest: config } = await putBlob(world, text('config'), { 'containerd.io/gc.ref.snapshot.windows': 'top' });
    const manifest = await putBlob(world, text('manifest'), { 'containerd.io/gc.ref.content.config': config });
    const image = { name: 'example.org/i:1', target: { mediaType: 'm', digest: manifest.digest, size: 8 } };
    await client.images.put(image);
    await client.snapshots('windows').update('top', { 'containerd.io/gc.root': '' });
    await model.collectGarbage();
    await client.snapshots('windows').stat('top');
    expect(await client.content.exists(config)).toBe(true);
    await client.images.delete(image.name);
    await model.collectGarbage();
    expect(await client.content.exists(config)).toBe(false);
    await expect(client.snapshots('windows').stat('top')).rejects.toMatchObject({ code: 'containerd.not-found' });
  });

  it('§2.1: a container record keeps its snapshot', async () => {
    const { client, model } = await newWorld();
    const snapshots = client.snapshots('windows');
    await snapshots.prepare({ key: 'k' });
    const record = { id: 'c', runtime: { name: 'r' }, spec: {}, snapshotter: 'windows', snapshotKey: 'k' };
    await client.containers.create(record);
    await model.collectGarbage();
    await snapshots.stat('k');
    await client.containers.delete('c');
    await model.collectGarbage();
    await expect(snapshots.stat('k')).rejects.toMatchObject({ code: 'containerd.not-found' });
  });

  it('§2.3: a commit moves the lease from the key to the name', async () => {
    const { client, model } = await newWorld();
    const snapshots = client.snapshots('windows');
    await client.leases.create({ id: 'l' });
    await snapshots.prepare({ key: 'k' }, { lease: 'l' });
    await snapshots.commit({ name: 'n', key: 'k' }, { lease: 'l' });
    await model.collectGarbage();
    await snapshots.stat('n');
    expect(await client.leases.listResources('l')).toEqual([{ id: 'n', type: 'snapshots/windows' }]);
  });

  it('with a threshold of 1 every write collects: what nothing holds goes at once', async () => {
    const { client } = await newWorld({ mutationThreshold: 1 });
    await client.snapshots('windows').prepare({ key: 'k' });
    await expect(client.snapshots('windows').stat('k')).rejects.toMatchObject({ code: 'containerd.not-found' });
  });
});

describe('§3.2 snapshots', () => {
  it('§2.5: snapshot.ref of a snapshot that is there is ALREADY_EXISTS, and the lease holds that one', async () => {
    const world = await newWorld();
    await commitLayer(world, 'chain', await baseLayer());
    const { client } = world;
    await client.leases.create({ id: 'l' });
    const labels = { 'containerd.io/snapshot.ref': 'chain' };
    const again = client.snapshots('windows').prepare({ key: 'extract-2 chain', labels }, { lease: 'l' });
    await expect(again).rejects.toMatchObject({ code: 'containerd.already-exists' });
    expect(await client.leases.listResources('l')).toEqual([{ id: 'chain', type: 'snapshots/windows' }]);
  });

  it('§3.1: mounts name the directory and its parents, the topmost first', async () => {
    const world = await newWorld();
    await makeBase(world);
    const snapshots = world.client.snapshots('windows');
    const [base] = await snapshots.prepare({ key: 'extract-x', parent: 'base', labels: keep });
    await snapshots.commit({ name: 'second', key: 'extract-x', labels: keep });
    const [mount] = await snapshots.view({ key: 'v', parent: 'second', labels: keep });
    expect(mount?.type).toBe('windows-layer');
    expect(mount?.source).toMatch(/\\snapshots\\3$/);
    const parents = JSON.parse(mount?.options[1]?.slice('parentLayerPaths='.length) ?? '') as string[];
    expect(mount?.options[0]).toBe('ro');
    expect(parents[0]).toBe(base?.source);
    expect(parents).toHaveLength(2);
  });

  it('a snapshot with a child is not removed, and one that is not committed has no children', async () => {
    const world = await newWorld();
    await makeBase(world);
    const snapshots = world.client.snapshots('windows');
    await snapshots.prepare({ key: 'k', parent: 'base', labels: keep });
    expect(await wordsOf(snapshots.remove('base'))).toContain('cannot remove snapshot with child');
    await expect(snapshots.prepare({ key: 'k2', parent: 'k' })).rejects.toMatchObject({
      code: 'containerd.invalid-argument',
    });
  });

  it('while a commit converts a layer, every other write to the metadata waits', async () => {
    const clock = new TestClock();
    const world = await newWorld({ clock, commitMs: () => 60_000 });
    const { client } = world;
    await client.snapshots('windows').prepare({ key: 'k' });
    const committing = client.snapshots('windows').commit({ name: 'n', key: 'k', labels: keep });
    await expect.poll(() => world.model.faults.calls.includes('Snapshots.Commit')).toBe(true);
    let isLeased = false;
    const waiting = client.leases.create({ id: 'other' }).then(() => {
      isLeased = true;
      return client.snapshots('windows').stat('n');
    });
    await expect.poll(() => world.model.faults.calls.includes('Leases.Create')).toBe(true);
    await client.version();
    expect(isLeased).toBe(false);
    await clock.advance(60_000);
    // The lease's answer comes after the commit, so whoever has it finds what was committed.
    expect((await waiting).kind).toBe('committed');
    await committing;
  });

  it('a DestroyLayer that fails leaves rm-<id> for ever', async () => {
    const world = await newWorld({ destroyLayerFails: () => true });
    const snapshots = world.client.snapshots('windows');
    await snapshots.prepare({ key: 'k' });
    await snapshots.remove('k');
    await world.model.collectGarbage();
    expect(world.model.snapshotDirectories()).toEqual(['rm-1']);
  });
});

describe('§1.12 events', () => {
  it('come from the subscription on, filtered by topic and namespace', async () => {
    const { client } = await newWorld();
    await client.snapshots('windows').prepare({ key: 'before', labels: keep });
    const abort = new AbortController();
    const filter = `topic=="/snapshot/prepare",namespace==${client.namespace}`;
    const events = client.events.subscribe([filter], { signal: abort.signal })[Symbol.asyncIterator]();
    const first = events.next();
    await expect
      .poll(async () => {
        await client.snapshots('windows').prepare({ key: `k${Math.random()}`, labels: keep });
        return Promise.race([first.then(() => true), new Promise((resolve) => setImmediate(() => resolve(false)))]);
      })
      .toBe(true);
    expect((await first).value).toMatchObject({ topic: '/snapshot/prepare', namespace: 'test' });
    abort.abort();
  });
});

it('§3.4: media types do not matter to Apply, what the blob is does', async () => {
  const world = await newWorld();
  const tar = await baseLayer();
  for (const [index, bytes] of [tar, gzipSync(tar), zstdCompressSync(tar)].entries()) {
    const mounts = await world.client.snapshots('windows').prepare({ key: `extract-${index}`, labels: keep });
    const blob = await putBlob(world, new Uint8Array(bytes));
    expect((await world.client.diff.apply({ ...blob, mediaType: layerType }, mounts)).digest).toBe(digestOf(tar));
  }
});
