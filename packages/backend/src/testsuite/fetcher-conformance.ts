import { describe, expect, it } from 'vitest';

import type { FetchProgress, Lease, ResolvedImage, SnapshotName } from '../index.ts';
import type { FetcherHarness, HarnessFactory, TestImage } from './harness.ts';
import { rejection, textOf, useHarness } from './support.ts';

/** The tests that every fetcher passes; a sentence of the port's docstring each. */
export function fetcherConformance(name: string, factory: HarnessFactory<FetcherHarness>): void {
  describe(`fetcher conformance: ${name}`, () => {
    const open = useHarness(factory);
    describe('resolve', () => resolveTests(open));
    describe('fetch', () => fetchTests(open));
    describe('import', () => importTests(open));
  });
}

function resolveTests(open: () => Promise<FetcherHarness>): void {
  it('gives digest, qualified name, platform and the whole config', async () => {
    const { fetcher, platform, image } = await open();
    const before = Date.now();
    const resolved = await fetcher.resolve(image.reference, platform);
    expect(resolved).toMatchObject({ reference: image.reference, config: image.config });
    expect(resolved.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(resolved.name).toMatch(/^[^/]+\/.+[:@]/);
    expect(resolved.platform).toMatchObject({ os: platform.os, architecture: platform.architecture });
    expect(Math.abs(resolved.resolvedAtMs - before)).toBeLessThan(60_000);
  });

  it('remembers a tag until it is asked to refresh', async () => {
    const { fetcher, platform, image, moveTag } = await open();
    const first = await fetcher.resolve(image.reference, platform);
    await moveTag();
    expect((await fetcher.resolve(image.reference, platform)).digest).toBe(first.digest);
    const refreshed = await fetcher.resolve(image.reference, platform, { refresh: true });
    expect(refreshed.digest).not.toBe(first.digest);
    expect((await fetcher.resolve(image.reference, platform)).digest).toBe(refreshed.digest);
  });

  it('says what is wrong with a reference, an image, its platform, credentials or the registry', async () => {
    const harness = await open();
    const { fetcher, platform } = harness;
    const failure = (reference: string): Promise<string> => rejection(fetcher.resolve(reference, platform));
    for (const reference of ['', 'Upper', 'a b', 'no:tag:twice', 'x@sha256:short', '../up', 'a//b', 'ä']) {
      expect([reference, await failure(reference)]).toEqual([reference, 'backend.reference-invalid']);
    }
    expect(await failure(harness.missingReference)).toBe('backend.image-not-found');
    expect(await failure(harness.refusedReference)).toBe('backend.registry-auth');
    expect(await failure(harness.unreachableReference)).toBe('backend.registry-unreachable');
    const { reference, available } = harness.otherPlatform;
    expect(await failure(reference)).toBe('backend.platform-missing');
    await expect(fetcher.resolve(reference, platform)).rejects.toThrow(available);
  });

  it('uses the credentials that it has', async () => {
    const harness = await open();
    await usable(harness, harness.privateImage);
  });

  it('an aborted signal ends it', async () => {
    const { fetcher, platform, image } = await open();
    const abort = new AbortController();
    abort.abort();
    expect(await rejection(fetcher.resolve(image.reference, platform, { signal: abort.signal }))).toBe(
      'general.cancelled',
    );
  });
}

function fetchTests(open: () => Promise<FetcherHarness>): void {
  it('makes the file system a committed snapshot, which find knows afterwards and not before', async () => {
    const harness = await open();
    const { fetcher, platform, image } = harness;
    expect(await fetcher.find(await fetcher.resolve(image.reference, platform))).toBeUndefined();
    const name = await usable(harness, image);
    expect(await fetcher.find(await fetcher.resolve(image.reference, platform))).toBe(name);
  });

  it('list names the images whose file system is here, and no others', async () => {
    const harness = await open();
    const { fetcher, platform, image, store } = harness;
    const resolved = await fetcher.resolve(image.reference, platform);
    expect(await fetcher.list(platform)).toEqual([]);
    const snapshot = await usable(harness, image);
    const { name, digest } = resolved;
    expect(await fetcher.list(platform)).toEqual([{ name, digest, platform: resolved.platform, snapshot }]);
    const moved = await fetcher.resolve((await harness.moveTag()).reference, platform, { refresh: true });
    await withLease(harness, (lease) => fetcher.fetch(moved, { lease }));
    const both = await fetcher.list(platform);
    expect(both.map((held) => held.digest).toSorted()).toEqual([digest, moved.digest].toSorted());
    await store.remove(snapshot);
    expect((await fetcher.list(platform)).map((held) => held.digest)).toEqual([moved.digest]);
  });

  it('a second fetch costs nothing and gives the same name', async () => {
    const harness = await open();
    const name = await usable(harness, harness.image);
    const before = harness.layerDownloads();
    expect(before).toBeGreaterThan(0);
    expect(await usable(harness, harness.image)).toBe(name);
    expect(harness.layerDownloads()).toBe(before);
  });

  it('fetches of one image at the same time share the work', async () => {
    const harness = await open();
    const { fetcher, platform, image } = harness;
    const resolved = await fetcher.resolve(image.reference, platform);
    const names = await withLease(harness, (lease) =>
      Promise.all([1, 2, 3].map(() => fetcher.fetch(resolved, { lease }))),
    );
    expect(new Set(names).size).toBe(1);
    const shared = harness.layerDownloads();
    const alone = await open();
    await usable(alone, alone.image);
    expect(shared).toBe(alone.layerDownloads());
  });

  it('tells its progress, which never goes back and ends with what was announced', async () => {
    const harness = await open();
    const { fetcher, platform, image } = harness;
    const resolved = await fetcher.resolve(image.reference, platform);
    const seen: FetchProgress[] = [];
    await withLease(harness, (lease) =>
      fetcher.fetch(resolved, { lease, onProgress: (progress) => seen.push(progress) }),
    );
    expect(seen.map((progress) => progress.phase)).toEqual(expect.arrayContaining(['downloading', 'unpacking']));
    const layers = new Map<string, number>();
    for (const progress of seen.filter((one) => one.phase === 'downloading')) {
      const key = progress.layer ?? '';
      expect(progress.currentBytes).toBeGreaterThanOrEqual(layers.get(key) ?? 0);
      expect(progress.currentBytes).toBeLessThanOrEqual(progress.totalBytes);
      layers.set(key, progress.currentBytes);
    }
  });

  it('both images of a tag that moved can be used side by side', async () => {
    const harness = await open();
    const { fetcher, platform, image } = harness;
    const old = await fetcher.resolve(image.reference, platform);
    const moved = await harness.moveTag();
    await usable(harness, moved, true);
    const name = await withLease(harness, (lease) => fetcher.fetch(old, { lease }));
    expect(await textOf(harness.store, name, image.file.path)).toBe(image.file.text);
  });

  it('bytes that do not match their digest are refused, and nothing half unpacked is seen', async () => {
    const harness = await open();
    const { fetcher, platform, corruptReference, store } = harness;
    const resolved = await fetcher.resolve(corruptReference, platform);
    // Sound layers below may have been unpacked; they go when the lease does, so all is looked at under it.
    await withLease(harness, async (lease) => {
      expect(await rejection(fetcher.fetch(resolved, { lease }))).toBe('backend.digest-mismatch');
      expect(await fetcher.find(resolved)).toBeUndefined();
      for (const snapshot of await store.list()) expect(await textOf(store, snapshot.name, 'corrupt')).toBeUndefined();
    });
  });

  it('a connection that drops in the middle is mended: at once, or by the next fetch', async () => {
    const harness = await open();
    harness.dropNextLayer();
    const first = await usable(harness, harness.image).catch((error: unknown) => error);
    if (first instanceof Error) expect(first).toMatchObject({ code: 'backend.registry-unreachable' });
    await usable(harness, harness.image);
  });

  it('an aborted fetch ends with general.cancelled, and the next one succeeds', async () => {
    const harness = await open();
    const { fetcher, platform, image } = harness;
    const resolved = await fetcher.resolve(image.reference, platform);
    const abort = new AbortController();
    abort.abort();
    const aborted = withLease(harness, (lease) => fetcher.fetch(resolved, { lease, signal: abort.signal }));
    expect(await rejection(aborted)).toBe('general.cancelled');
    await usable(harness, image);
  });
}

function importTests(open: () => Promise<FetcherHarness>): void {
  it('an imported image answers without a registry, under the name it carries or another', async () => {
    const harness = await open();
    const { bytes, image } = harness.archive();
    const names = await harness.fetcher.importArchive(bytes, {});
    expect(names).toHaveLength(1);
    await usable(harness, image);
    await usable(harness, { ...image, reference: names[0] ?? '' });
    await harness.fetcher.importArchive(harness.archive().bytes, { name: 'local/renamed:1' });
    await usable(harness, { ...image, reference: 'local/renamed:1' });
    expect(harness.layerDownloads()).toBe(0);
  });

  it('refresh does not send an imported image to a registry', async () => {
    const harness = await open();
    await harness.fetcher.importArchive(harness.archive().bytes, { name: 'local/only-here:1' });
    await usable(harness, { ...harness.archive().image, reference: 'local/only-here:1' }, true);
  });
}

/** Fetches an image and sees that its file and config are right. */
async function usable(harness: FetcherHarness, image: TestImage, refresh = false): Promise<SnapshotName> {
  const { fetcher, platform, store } = harness;
  const resolved: ResolvedImage = await fetcher.resolve(image.reference, platform, { refresh });
  expect(resolved.config).toEqual(image.config);
  const name = await withLease(harness, (lease) => fetcher.fetch(resolved, { lease }));
  expect(await textOf(store, name, image.file.path)).toBe(image.file.text);
  return name;
}

async function withLease<T>(harness: FetcherHarness, use: (lease: Lease) => Promise<T>): Promise<T> {
  const lease = await harness.store.lease('conformance');
  try {
    return await use(lease);
  } finally {
    await lease.release();
  }
}
