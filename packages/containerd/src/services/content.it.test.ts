import { randomBytes } from 'node:crypto';
import { LoamError } from '@loam/base';
import { startContainerd, type ContainerdServer } from '@loam/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, type Containerd } from '../client.ts';
import { failure, put, sha256 } from '../testing/blobs.ts';

const mebibyte = 1024 * 1024;
let server: ContainerdServer;
let client: Containerd;

beforeAll(async () => {
  server = await startContainerd();
  client = connect({ address: server.address, namespace: 'content-test' });
  await client.namespaces.ensure();
  await client.leases.create({ id: 'content' });
});

afterAll(async () => {
  client.close();
  await server.stop();
});

describe('content', () => {
  it('is written, read in full and in part, labelled, listed and deleted', async () => {
    const bytes = randomBytes(3 * mebibyte + 17);
    const written = await put(client, bytes, { labels: { a: '1' }, lease: 'content' });
    expect(written).toEqual({ digest: sha256(bytes), size: bytes.length, existed: false });
    expect(Buffer.compare(await client.content.readAll(written.digest), bytes)).toBe(0);
    const part: Uint8Array[] = [];
    for await (const chunk of client.content.read(written.digest, { offset: 100, size: 50 })) part.push(chunk);
    expect(Buffer.concat(part)).toEqual(bytes.subarray(100, 150));
    expect(await client.content.updateLabels(written.digest, { b: '2' })).toMatchObject({ labels: { a: '1', b: '2' } });
    await client.content.updateLabels(written.digest, { a: '' });
    expect(await client.content.info(written.digest)).toMatchObject({ size: bytes.length, labels: { b: '2' } });
    expect((await client.content.list([`labels."b"==2`])).map(({ digest }) => digest)).toEqual([written.digest]);
    await client.content.delete(written.digest);
    expect(await client.content.exists(written.digest)).toBe(false);
  });

  it('that begins behind the end is out of range', async () => {
    const { digest } = await put(client, randomBytes(10), { lease: 'content' });
    const reading = (async () => {
      for await (const _ of client.content.read(digest, { offset: 11 })) expect.unreachable();
    })();
    expect(await failure(reading)).toBe('containerd.out-of-range');
  });

  it('can be left in the middle of reading', async () => {
    const { digest } = await put(client, randomBytes(8 * mebibyte), { lease: 'content' });
    for await (const chunk of client.content.read(digest)) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    expect(await client.content.exists(digest)).toBe(true);
  });

  it('of no bytes can be written', async () => {
    const empty = new Uint8Array(0);
    expect(await put(client, empty, { lease: 'content' })).toMatchObject({ digest: sha256(empty), size: 0 });
  });

  it('goes on where an aborted write stopped', async () => {
    const bytes = randomBytes(6 * mebibyte);
    const expected = sha256(bytes);
    const abort = new AbortController();
    const blob = { ref: 'resumed', expected, total: bytes.length };
    const first = client.content.writeBlob(
      {
        ...blob,
        source: async function* () {
          yield bytes.subarray(0, 4 * mebibyte);
          await new Promise(() => undefined);
        },
        onProgress: (offset) => offset === 4 * mebibyte && abort.abort(),
      },
      { signal: abort.signal, lease: 'content' },
    );
    expect(await failure(first)).toBe('general.cancelled');
    const offsets: number[] = [];
    const source = async function* (offset: number): AsyncGenerator<Uint8Array> {
      offsets.push(offset);
      yield bytes.subarray(offset);
    };
    const second = await client.content.writeBlob({ ...blob, source }, { lease: 'content' });
    expect(offsets).toEqual([4 * mebibyte]);
    expect(second).toEqual({ digest: expected, size: bytes.length, existed: false });
    expect(Buffer.compare(await client.content.readAll(expected), bytes)).toBe(0);
  });

  it('that is there already is a success, and is held by the lease and labelled', async () => {
    const bytes = randomBytes(1000);
    const { digest } = await put(client, bytes, { lease: 'content' });
    await client.leases.create({ id: 'again' });
    // Without a promised digest it shows at the commit only, with one at once.
    expect(await put(client, bytes, { ref: 'unpromised', lease: 'again', labels: { x: 'y' } })).toEqual({
      digest,
      size: 1000,
      existed: true,
    });
    const source = (): never => expect.unreachable();
    const promised = { ref: 'promised', expected: digest, total: 1000, source };
    expect(await client.content.writeBlob(promised, { lease: 'again' })).toMatchObject({ existed: true });
    expect(await client.leases.listResources('again')).toContainEqual({ id: digest, type: 'content' });
    expect((await client.content.info(digest)).labels).toEqual({ x: 'y' });
    await client.leases.delete('again');
  });

  it('that is not what was promised is refused, and the next write begins anew', async () => {
    const good = randomBytes(5000);
    const bad = randomBytes(5000);
    const write = (bytes: Uint8Array) =>
      client.content.writeBlob(
        {
          ref: 'corrupt',
          expected: sha256(good),
          total: good.length,
          source: async function* (offset) {
            yield bytes.subarray(offset);
          },
        },
        { lease: 'content' },
      );
    expect(await failure(write(bad))).toBe('containerd.failed-precondition');
    expect(await failure(client.content.status('corrupt'))).toBe('containerd.not-found');
    expect(await write(good)).toMatchObject({ digest: sha256(good) });
  });

  it('that is shorter than promised is refused', async () => {
    const bytes = randomBytes(100);
    const source = async function* (): AsyncGenerator<Uint8Array> {
      yield bytes.subarray(0, 99);
    };
    const blob = { ref: 'short', expected: sha256(bytes), total: 100, source };
    expect(await failure(client.content.writeBlob(blob, { lease: 'content' }))).toBe('containerd.failed-precondition');
  });

  it('that is begun tells how far it is, and can be aborted', async () => {
    const broken = LoamError.of('general.internal', {});
    const source = async function* (): AsyncGenerator<Uint8Array> {
      yield randomBytes(mebibyte);
      await expect.poll(async () => (await client.content.status('begun')).offset).toBe(mebibyte);
      throw broken;
    };
    await expect(client.content.writeBlob({ ref: 'begun', source }, { lease: 'content' })).rejects.toBe(broken);
    expect(await client.content.status('begun')).toMatchObject({ ref: 'begun', offset: mebibyte });
    // The daemon holds the lock until it has noticed that the writer is gone.
    await expect.poll(() => failure(client.content.abort('begun'))).toBe('no failure');
    expect(await failure(client.content.status('begun'))).toBe('containerd.not-found');
  });
});
