import type { FetchProgress } from '@loam/backend';
import { baseLayer } from '@loam/containerd-model';
import { startRegistry, type TestRegistry } from '@loam/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { openModelBackend, type ModelBackend } from '../testing/model-backend.ts';
import { makeImage, makeIndex, noise, type MadeImage } from '../testing/test-images.ts';

// What OBuilder's fetcher on Windows does wrong (reference §11.2, vectors (10)), seen from a real registry.
let registry: TestRegistry;
let test: ModelBackend;
beforeAll(async () => {
  registry = await startRegistry();
});
afterAll(() => registry.stop());
beforeEach(async () => {
  test = await openModelBackend();
});
afterEach(async () => {
  const left = await test.leftovers();
  await test.close();
  expect(left).toEqual([]);
});

const platform = { os: 'windows', architecture: 'amd64' } as const;

function windowsImage(osVersion: string, text: string): Promise<MadeImage> {
  const build = Number(osVersion.split('.')[2]);
  return makeImage({
    layers: [{ text }],
    layerTar: ({ text: content = '' }) =>
      baseLayer({ build, files: { text: String(content), noise: noise(100_000).join() } }),
    os: 'windows',
    architecture: 'amd64',
    osVersion,
  });
}

async function fetch(reference: string, onProgress: (progress: FetchProgress) => void = () => undefined) {
  const { fetcher, store } = test.backend;
  const image = await fetcher.resolve(reference, platform, { refresh: true });
  const lease = await store.lease('fetch');
  const snapshot = await fetcher.fetch(image, { lease, onProgress });
  await lease.release();
  return { image, snapshot };
}

describe('§11.2 #5: an image', () => {
  it('is asked for once: each of its documents and layers by one request', async () => {
    const image = await windowsImage('10.0.20348.1', 'once');
    await registry.push('once', 'latest', image);
    const before = registry.requests.length;
    await fetch(`${registry.host}/once`);
    const gets = registry.requests.slice(before).filter(({ method }) => method === 'GET');
    const paths = gets.map(({ path }) => path).filter((path) => /\/(?:manifests|blobs)\//.test(path));
    expect(paths).toHaveLength(1 + image.blobs.length);
    expect(new Set(paths).size).toBe(paths.length);
  });
});

describe('§11.2 #13: a tag that moves', () => {
  it('is followed when it is asked for anew, and what was fetched before stays', async () => {
    const reference = `${registry.host}/moving:1`;
    await registry.push('moving', '1', await windowsImage('10.0.20348.1', 'old'));
    const old = await fetch(reference);
    await registry.push('moving', '1', await windowsImage('10.0.20348.1', 'new'));
    const moved = await fetch(reference);
    expect(moved.image.digest).not.toBe(old.image.digest);
    expect([old, moved].map(({ snapshot }) => test.model.textIn('loam', snapshot, 'text'))).toEqual(['old', 'new']);
  });
});

describe('§11.2 #14: an index of several Windows versions', () => {
  it('gives the one that shares the host’s kernel, and the others are never fetched', async () => {
    const versions = ['10.0.17763.5000', '10.0.20348.2000', '10.0.20348.3000', '10.0.26100.1'];
    const images = await Promise.all(versions.map((version) => windowsImage(version, version)));
    for (const [at, image] of images.entries()) await registry.push('many', `v${at}`, image);
    const entries = images.map(({ manifest }, at) => ({
      manifest,
      platform: { os: 'windows', architecture: 'amd64', 'os.version': versions[at] ?? '' },
    }));
    await registry.push('many', 'latest', makeIndex(entries));
    const before = registry.requests.length;
    const { image, snapshot } = await fetch(`${registry.host}/many`);
    expect(image.platform.osVersion).toBe('10.0.20348.3000');
    expect(test.model.textIn('loam', snapshot, 'text')).toBe('10.0.20348.3000');
    const foreign = images.filter((_, at) => at !== 2).flatMap(({ layerDigests }) => layerDigests);
    const asked = registry.requests.slice(before).map(({ path }) => path.split('/').at(-1) ?? '');
    expect(asked.filter((digest) => foreign.includes(digest))).toEqual([]);
  });
});

describe('vectors (10) pull output: a download', () => {
  it('tells how far it is, and does not go back', async () => {
    await registry.push('told', 'latest', await windowsImage('10.0.20348.1', 'told'));
    const told: FetchProgress[] = [];
    await fetch(`${registry.host}/told`, (progress) => told.push(progress));
    expect(new Set(told.map(({ phase }) => phase))).toEqual(new Set(['downloading', 'unpacking', 'done']));
    const bytes = told.map(({ currentBytes }) => currentBytes);
    expect(bytes).toEqual(bytes.toSorted((one, other) => one - other));
    expect(told.at(-1)).toMatchObject({ currentBytes: told[0]?.totalBytes, totalBytes: told[0]?.totalBytes });
  });
});
