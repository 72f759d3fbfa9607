import { randomBytes } from 'node:crypto';
import { isLoamError } from '@loam/base';
import { startContainerd, type ContainerdServer } from '@loam/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, type Containerd } from './client.ts';
import { failure, put } from './testing/blobs.ts';
import { busyboxLayer } from './testing/busybox.ts';

let server: ContainerdServer;
let client: Containerd;

beforeAll(async () => {
  server = await startContainerd();
  client = connect({ address: server.address, namespace: 'client-test' });
  await client.namespaces.ensure();
});

afterAll(async () => {
  client.close();
  await server.stop();
});

describe('the daemon', () => {
  it('tells its version, its plugins and an id that stays', async () => {
    const version = await client.version();
    expect(version.version).toMatch(/\d+\.\d+\.\d+/);
    const plugins = await client.plugins(['type==io.containerd.snapshotter.v1,id==overlayfs']);
    expect(plugins).toMatchObject([{ type: 'io.containerd.snapshotter.v1', id: 'overlayfs', initError: undefined }]);
    expect(plugins[0]?.exports['root']).toContain(server.root);
    // Each version has one that needs more than this configuration says.
    const errors = (await client.plugins(['type==io.containerd.snapshotter.v1'])).map(({ initError }) => initError);
    expect(errors).toContainEqual(expect.stringMatching(/skip|not configured/));
    expect(await client.serverId()).toBe(await client.serverId());
  });
});

describe('namespaces', () => {
  it('are made once, listed with their labels, and deleted', async () => {
    await client.namespaces.ensure('other', { a: 'b' });
    await client.namespaces.ensure('other');
    expect(await client.namespaces.list()).toContainEqual({ name: 'other', labels: { a: 'b' } });
    await client.namespaces.delete('other');
    expect((await client.namespaces.list()).map(({ name }) => name)).not.toContain('other');
    expect(await failure(client.namespaces.delete('other'))).toBe('containerd.not-found');
  });

  it('cannot be deleted while something is in them', async () => {
    await client.leases.create({ id: 'holds' });
    await put(client, randomBytes(10), { lease: 'holds' });
    expect(await failure(client.namespaces.delete('client-test'))).toBe('containerd.failed-precondition');
    await client.leases.delete('holds');
  });
});

describe('leases', () => {
  it('hold what is made under them, and a synchronous delete collects it', async () => {
    const lease = await client.leases.create({ id: 'l1', labels: { 'loam/agent': 'x' } });
    expect(lease).toMatchObject({ id: 'l1', labels: { 'loam/agent': 'x' } });
    const { digest } = await put(client, randomBytes(1000), { lease: 'l1' });
    await client.snapshots('overlayfs').prepare({ key: 'held' }, { lease: 'l1' });
    expect(await client.leases.listResources('l1')).toEqual(
      expect.arrayContaining([
        { id: digest, type: 'content' },
        { id: 'held', type: 'snapshots/overlayfs' },
      ]),
    );
    await client.leases.create({ id: 'collect' });
    await client.leases.delete('collect', { sync: true });
    expect(await client.content.exists(digest)).toBe(true);

    await client.leases.delete('l1', { sync: true });
    expect(await client.content.exists(digest)).toBe(false);
    expect(await failure(client.snapshots('overlayfs').stat('held'))).toBe('containerd.not-found');
  });

  it('take and release single resources', async () => {
    await client.leases.create({ id: 'first' });
    await client.leases.create({ id: 'second', expiresAt: new Date(Date.now() + 3_600_000) });
    const { digest } = await put(client, randomBytes(1000), { lease: 'first' });
    const resource = { id: digest, type: 'content' };
    await client.leases.addResource('second', resource);
    await client.leases.delete('first', { sync: true });
    expect(await client.content.exists(digest)).toBe(true);
    await client.leases.deleteResource('second', resource);
    expect(await client.leases.listResources('second')).toEqual([]);
    const [second] = await client.leases.list(['id==second']);
    expect(second?.labels['containerd.io/gc.expire']).toMatch(/^\d{4}-.*Z$/);
    await client.leases.delete('second', { sync: true });
    expect(await client.content.exists(digest)).toBe(false);
  });

  it('that do not exist are not found by what names them', async () => {
    const made = client.snapshots('overlayfs').prepare({ key: 'k' }, { lease: 'none' });
    expect(await failure(made)).toBe('containerd.not-found');
  });
});

describe('images', () => {
  it('are created, pointed elsewhere, listed and deleted', async () => {
    await client.leases.create({ id: 'images' });
    const target = async (text: string) => {
      const bytes = new TextEncoder().encode(text);
      const { digest, size } = await put(client, bytes, { lease: 'images' });
      return { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size };
    };
    const [one, two] = [await target('{"a":1}'), await target('{"b":2}')];
    await client.images.put({ name: 'loam.local/x', target: one, labels: { l: '1' } });
    const moved = await client.images.put({ name: 'loam.local/x', target: two, labels: { m: '2' } });
    expect(moved).toMatchObject({ name: 'loam.local/x', target: two, labels: { m: '2' } });
    expect(await client.images.get('loam.local/x')).toEqual(moved);
    expect(await client.images.list(['name==loam.local/x'])).toHaveLength(1);
    await client.leases.delete('images', { sync: true });
    expect(await client.content.exists(two.digest)).toBe(true);
    expect(await client.content.exists(one.digest)).toBe(false);
    await client.images.delete('loam.local/x', { sync: true });
    expect(await failure(client.images.get('loam.local/x'))).toBe('containerd.not-found');
    expect(await client.content.exists(two.digest)).toBe(false);
  });
});

describe('snapshots and diff', () => {
  it('take a layer, keep it under a name, and give back what changed', async () => {
    const snapshots = client.snapshots('overlayfs');
    const lease = 'layers';
    await client.leases.create({ id: lease });
    const layer = await busyboxLayer(client, lease);

    const mounts = await snapshots.prepare({ key: 'work', labels: { dropped: 'x' } }, { lease });
    expect(mounts).toMatchObject([{ type: 'bind' }]);
    expect(await snapshots.mounts('work')).toEqual(mounts);
    const applied = await client.diff.apply(layer, mounts);
    expect(applied.digest).toBe(layer.digest);
    expect(await snapshots.stat('work')).toMatchObject({ kind: 'active', parent: '', labels: { dropped: 'x' } });
    await snapshots.commit({ name: 'base', key: 'work', labels: { kept: 'y' } }, { lease });
    expect(await snapshots.stat('base')).toMatchObject({ name: 'base', kind: 'committed', labels: { kept: 'y' } });
    expect(await failure(snapshots.stat('work'))).toBe('containerd.not-found');
    expect((await snapshots.usage('base')).sizeBytes).toBeGreaterThan(1_000_000);

    expect(await snapshots.update('base', { more: 'z' })).toMatchObject({ labels: { kept: 'y', more: 'z' } });
    const upper = await snapshots.prepare({ key: 'child', parent: 'base' }, { lease });
    const lower = await snapshots.view({ key: 'seen', parent: 'base' }, { lease });
    await client.diff.apply(await smallLayer(lease), upper);
    const diff = await client.diff.diff(
      { left: lower, right: upper, mediaType: 'application/vnd.oci.image.layer.v1.tar', ref: 'diff-1' },
      { lease },
    );
    const text = new TextDecoder().decode(await client.content.readAll(diff.digest));
    expect(text).toContain('hello from the child');
    expect(text).not.toContain('busybox');

    const listed = await snapshots.list();
    expect(listed.map(({ name, kind, parent }) => `${name} ${kind} ${parent}`).sort()).toEqual([
      'base committed ',
      'child active base',
      'seen view base',
    ]);
    expect(await snapshots.list(['parent==base,kind==view'])).toHaveLength(1);
    expect(await failure(snapshots.remove('base'))).toBe('containerd.failed-precondition');
    expect(await failure(snapshots.prepare({ key: 'child', parent: 'base' }, { lease }))).toBe(
      'containerd.already-exists',
    );
    for (const key of ['child', 'seen', 'base']) await snapshots.remove(key);
    await client.leases.delete(lease, { sync: true });
    expect(await snapshots.list()).toEqual([]);
  });

  it('of a snapshotter that is not there are refused', async () => {
    const stat = client.snapshots('nonesuch').stat('x');
    await expect(stat).rejects.toSatisfy((error) => isLoamError(error, 'containerd.invalid-argument'));
  });
});

/** A tar with one file, made by hand: a header block, its bytes, two empty blocks. */
async function smallLayer(lease: string) {
  const content = 'hello from the child\n';
  const tar = Buffer.alloc(4 * 512);
  tar.write('note.txt', 0);
  tar.write('0000644\0', 100);
  tar.write('0000000\0', 108);
  tar.write('0000000\0', 116);
  tar.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
  tar.write('00000000000\0', 136);
  tar.write('        ', 148);
  tar.write('0', 156);
  tar.write('ustar\0', 257);
  tar.write('00', 263);
  const sum = tar.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  tar.write(content, 512);
  const { digest, size } = await put(client, tar, { lease });
  return { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size };
}
