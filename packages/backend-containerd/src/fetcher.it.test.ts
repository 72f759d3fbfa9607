import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';

import type { Lease, SnapshotName } from '@loam/backend';
import { startContainerd, startRegistry, type ContainerdServer, type TestRegistry } from '@loam/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';

import type { ContainerdBackendOptions } from './backend.ts';
import { busyboxImageArchive, busyboxImageName } from './base-image.ts';
import { openTestBackend, testPlatform, type TestBackend } from './testing/test-backend.ts';
import { makeImage, noise } from './testing/test-images.ts';

let server: ContainerdServer;
let plain: TestRegistry;
let password: TestRegistry;
let token: TestRegistry;
const opened: TestBackend[] = [];

beforeAll(async () => {
  [server, plain, password, token] = await Promise.all([
    startContainerd(),
    startRegistry(),
    startRegistry({ auth: 'basic' }),
    startRegistry({ auth: 'token' }),
  ]);
});
afterAll(() => Promise.all([server.stop(), plain.stop(), password.stop(), token.stop()]));
afterEach(async () => {
  for (const test of opened.splice(0)) {
    const left = await test.leftovers();
    await test.close();
    expect(left).toEqual([]);
  }
});

async function open(options: Partial<ContainerdBackendOptions> = {}): Promise<TestBackend> {
  const test = await openTestBackend(server, options);
  opened.push(test);
  return test;
}

async function withLease<T>({ backend }: TestBackend, use: (lease: Lease) => Promise<T>): Promise<T> {
  const lease = await backend.store.lease('test');
  try {
    return await use(lease);
  } finally {
    await lease.release();
  }
}

function pull(test: TestBackend, reference: string): Promise<SnapshotName> {
  return withLease(test, async (lease) =>
    test.backend.fetcher.fetch(await test.backend.fetcher.resolve(reference, testPlatform), { lease }),
  );
}

describe('downloads', () => {
  it('a dropped connection is taken up again where it stopped', async () => {
    const test = await open();
    const image = await makeImage({ layers: [{}, { 'big.bin': noise(3_000_000) }] });
    const repository = `resume/${randomUUID()}`;
    await plain.push(repository, 'latest', image);
    plain.cutNextBlob(2_500_000);
    await pull(test, `${plain.host}/${repository}`);
    const ranges = plain.requests
      .filter(({ path }) => path.includes(repository) && path.includes('/blobs/'))
      .map(({ range }) => range);
    const resumed = ranges.find((range) => range !== undefined);
    // What had been stored is a whole number of messages, so more than nothing and less than all.
    const offset = Number(/^bytes=(\d+)-$/.exec(resumed ?? '')?.[1]);
    expect(offset).toBeGreaterThanOrEqual(1 << 20);
    expect(offset).toBeLessThanOrEqual(2_500_000);
  });

  it('a layer that two images share is downloaded once, also when both are fetched at the same time', async () => {
    const test = await open();
    const shared = { 'shared.bin': noise(500_000) };
    const repository = `shared/${randomUUID()}`;
    const [left, right] = await Promise.all([
      makeImage({ layers: [shared, { left: 'left' }] }),
      makeImage({ layers: [shared, { right: 'right' }] }),
    ]);
    expect(left.layerDigests[0]).toBe(right.layerDigests[0]);
    await plain.push(repository, 'left', left);
    await plain.push(repository, 'right', right);
    const names = await Promise.all([
      pull(test, `${plain.host}/${repository}:left`),
      pull(test, `${plain.host}/${repository}:right`),
    ]);
    const downloads = plain.requests.filter(({ path }) => path.endsWith(`${repository}/blobs/${left.layerDigests[0]}`));
    expect(downloads).toHaveLength(1);
    // Unpacked layers are not kept a second time as blobs.
    await test.collectGarbage();
    expect(await test.client.content.exists(left.layerDigests[0] ?? '')).toBe(false);
    for (const name of names) expect(await test.backend.store.stat(name)).toBeDefined();
  });
});

describe('authorization', () => {
  it('basic: the right password lets in, the wrong one is registry-auth', async () => {
    const repository = `basic/${randomUUID()}`;
    await password.push(repository, 'latest', await makeImage({ layers: [{ a: 'a' }] }));
    const reference = `${password.host}/${repository}`;
    await pull(await open({ registries: { [password.host]: { credentials: password.credentials } } }), reference);
    const wrong = { username: 'tester', password: 'wrong' };
    const test = await open({ registries: { [password.host]: { credentials: wrong } } });
    await expect(pull(test, reference)).rejects.toMatchObject({ code: 'backend.registry-auth' });
  });

  it('a redirect to another host gets no authorization', async () => {
    const repository = `redirect/${randomUUID()}`;
    await token.push(repository, 'latest', await makeImage({ layers: [{ a: 'a' }] }));
    token.redirectBlobs();
    const test = await open({ registries: { [token.host]: { credentials: token.credentials } } });
    await pull(test, `${token.host}/${repository}`);
    const storage = token.requests.filter(({ path }) => path.startsWith('/storage'));
    expect(storage.length).toBeGreaterThan(0);
    expect(storage.map(({ authorization }) => authorization)).toEqual(storage.map(() => undefined));
  });
});

describe('mirrors and memory', () => {
  it('a mirror is asked first, and what it lacks comes from the registry', async () => {
    const repository = `mirrored/${randomUUID()}`;
    const [here, there] = await Promise.all([
      makeImage({ layers: [{ a: 'here' }] }),
      makeImage({ layers: [{ a: 'there' }] }),
    ]);
    await plain.push(repository, 'both', here);
    await plain.push(repository, 'mirror-only', here);
    await password.push(repository, 'registry-only', there);
    const registries = {
      [password.host]: { mirrors: [plain.host], credentials: password.credentials },
    };
    const test = await open({ registries });
    const before = password.requests.length;
    await pull(test, `${password.host}/${repository}:mirror-only`);
    expect(password.requests.length).toBe(before);
    await pull(test, `${password.host}/${repository}:registry-only`);
    expect(password.requests.length).toBeGreaterThan(before);
  });

  it('what is known of an image whose tag has moved is not collected while it is fetched', async () => {
    const test = await open();
    const { fetcher } = test.backend;
    const reference = `${plain.host}/moving/${randomUUID()}`;
    const repository = reference.slice(plain.host.length + 1);
    await plain.push(repository, 'latest', await makeImage({ layers: [{ old: 'old' }] }));
    const old = await fetcher.resolve(reference, testPlatform);
    // Until the collector has come by, which it does here at the worst moment.
    const { content, leases } = test.client;
    await leases.create({ id: 'uncollected' });
    await leases.addResource('uncollected', { id: old.digest, type: 'content' });
    await plain.push(repository, 'latest', await makeImage({ layers: [{ new: 'new' }] }));
    await fetcher.resolve(reference, testPlatform, { refresh: true });
    const readAll = content.readAll.bind(content);
    const read: string[] = [];
    vi.spyOn(content, 'readAll').mockImplementation(async (...args) => {
      const bytes = await readAll(...args);
      read.push(args[0]);
      if (read.length === 2) await leases.delete('uncollected', { sync: true });
      return bytes;
    });
    await withLease(test, (lease) => fetcher.fetch(old, { lease }));
    expect(read[0]).toBe(old.digest);
    expect(await fetcher.find(old)).toBeDefined();
  });

  it('after an eviction the image is fetched again', async () => {
    const test = await open();
    const repository = `evicted/${randomUUID()}`;
    await plain.push(repository, 'latest', await makeImage({ layers: [{ a: 'a' }, { b: 'b' }] }));
    const name = await pull(test, `${plain.host}/${repository}`);
    await test.backend.store.remove(name);
    await test.collectGarbage();
    expect(await test.backend.store.list()).toEqual([]);
    expect(await pull(test, `${plain.host}/${repository}`)).toBe(name);
  });

  it('an imported image comes back after an eviction, from a gzipped OCI layout', async () => {
    const test = await open();
    const chunks: Uint8Array[] = [];
    const archive = busyboxImageArchive({ busyboxPath: '/bin/busybox', platform: testPlatform });
    for await (const chunk of archive) chunks.push(chunk);
    const zipped = gzipSync(Buffer.concat(chunks), { level: 1 });
    expect(await test.backend.fetcher.importArchive(once(zipped), {})).toEqual([busyboxImageName]);
    const name = await pull(test, busyboxImageName);
    await test.backend.store.remove(name);
    await test.collectGarbage();
    expect(await pull(test, busyboxImageName)).toBe(name);
  });

  it('what is no archive, or a broken one, is archive-invalid', async () => {
    const { backend } = await open();
    for (const bytes of [new Uint8Array(0), noise(5000), gzipSync('no tar'), gzipSync(noise(5000)).subarray(0, 3000)]) {
      await expect(backend.fetcher.importArchive(once(bytes), {})).rejects.toMatchObject({
        code: 'backend.archive-invalid',
      });
    }
  });
});

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}
