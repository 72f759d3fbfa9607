import { expect, it } from 'vitest';

import type { CacheRequest, CacheSharing } from '../index.ts';
import type { StoreHarness } from './harness.ts';
import { pause, rejection } from './support.ts';

function request(sharing: CacheSharing, id = 'downloads'): CacheRequest {
  return { id, sharing, owner: { uid: 1000, gid: 1001 }, mode: 0o750 };
}
const never = new AbortController().signal;

export function cacheTests(open: () => Promise<StoreHarness>): void {
  it('what a step wrote is there for the next one, and owner and mode are those of the making', async () => {
    const { store, hostFiles, files } = await open();
    const meta = files === 'windows' ? {} : { uid: 1000, gid: 1001, mode: 0o750 };
    const first = await store.acquireCache(request('shared'), never);
    expect(await hostFiles.stat(first.directory)).toMatchObject(meta);
    await hostFiles.write(`${first.directory}/file`, 'kept');
    await first.release();
    await first.release();
    const second = await store.acquireCache({ ...request('shared'), owner: { uid: 7, gid: 7 }, mode: 0o700 }, never);
    expect(await hostFiles.read(`${second.directory}/file`)).toBe('kept');
    expect(await hostFiles.stat(second.directory)).toMatchObject(meta);
    await second.release();
  });

  it('ids do not see each other, whatever characters they have', async () => {
    const { store, hostFiles } = await open();
    const ids = ['a', 'A', 'a/b', '../a', 'a%2Fb', 'ä 漢', '.', 'x'.repeat(300)];
    for (const id of ids) {
      const mount = await store.acquireCache(request('shared', id), never);
      expect(await hostFiles.read(`${mount.directory}/id`)).toBeUndefined();
      await hostFiles.write(`${mount.directory}/id`, id);
      await mount.release();
    }
    expect((await store.listCaches()).map((cache) => cache.id).sort()).toEqual([...ids].sort());
  });

  it('shared: all use one directory at once, and nothing that anybody wrote is lost', async () => {
    const { store, hostFiles } = await open();
    const mounts = await Promise.all(Array.from({ length: 5 }, () => store.acquireCache(request('shared'), never)));
    expect(new Set(mounts.map((mount) => mount.directory)).size).toBe(1);
    await Promise.all(mounts.map((mount, index) => hostFiles.write(`${mount.directory}/${index}`, String(index))));
    await Promise.all(mounts.map((mount) => mount.release()));
    const after = await store.acquireCache(request('shared'), never);
    for (const index of mounts.keys()) expect(await hostFiles.read(`${after.directory}/${index}`)).toBe(String(index));
    await after.release();
  });

  it('locked: one at a time, the others wait and all get it', async () => {
    const { store, hostFiles } = await open();
    let holders = 0;
    const use = async (index: number): Promise<void> => {
      const mount = await store.acquireCache(request('locked'), never);
      holders += 1;
      expect(holders).toBe(1);
      const before = (await hostFiles.read(`${mount.directory}/log`)) ?? '';
      await pause(5);
      await hostFiles.write(`${mount.directory}/log`, `${before}${index}`);
      holders -= 1;
      await mount.release();
    };
    await Promise.all([0, 1, 2, 3].map(use));
    const mount = await store.acquireCache(request('locked'), never);
    const log = (await hostFiles.read(`${mount.directory}/log`)) ?? '';
    expect(['0', '1', '2', '3'].filter((index) => log.includes(index)).length).toBe(log.length);
    expect(log.length).toBe(4);
    await mount.release();
  });

  it('locked: who gives up while waiting does not take the turn of another', async () => {
    const { store } = await open();
    const holder = await store.acquireCache(request('locked'), never);
    const abort = new AbortController();
    const quitter = store.acquireCache(request('locked'), abort.signal);
    const patient = store.acquireCache(request('locked'), never);
    abort.abort();
    expect(await rejection(quitter)).toBe('general.cancelled');
    await holder.release();
    await (await patient).release();
    const again = await store.acquireCache(request('locked'), never);
    await again.release();
  });

  it('private: who finds it in use gets another directory, which later ones use again', async () => {
    const { store, hostFiles } = await open();
    const first = await store.acquireCache(request('private'), never);
    const second = await store.acquireCache(request('private'), never);
    expect(first.directory).not.toBe(second.directory);
    await hostFiles.write(`${first.directory}/who`, 'first');
    await hostFiles.write(`${second.directory}/who`, 'second');
    await Promise.all([first.release(), second.release()]);
    const later = await Promise.all([
      store.acquireCache(request('private'), never),
      store.acquireCache(request('private'), never),
    ]);
    const contents = await Promise.all(later.map((mount) => hostFiles.read(`${mount.directory}/who`)));
    expect(new Set(contents)).toEqual(new Set(['first', 'second']));
    await Promise.all(later.map((mount) => mount.release()));
  });

  it('vectors (5): a cache in use is not removed; otherwise it is, and removing what is not there succeeds', async () => {
    const { store, hostFiles } = await open();
    const mount = await store.acquireCache(request('shared'), never);
    await hostFiles.write(`${mount.directory}/file`, 'x'.repeat(5000));
    expect(await rejection(store.removeCache('downloads'))).toBe('backend.cache-in-use');
    await mount.release();
    const [listed] = await store.listCaches();
    expect(listed).toMatchObject({ id: 'downloads' });
    expect(listed?.sizeBytes).toBeGreaterThanOrEqual(5000);
    expect(Math.abs((listed?.lastUsedAtMs ?? 0) - Date.now())).toBeLessThan(60_000);
    await store.removeCache('downloads');
    await store.removeCache('downloads');
    expect(await store.listCaches()).toEqual([]);
    const anew = await store.acquireCache(request('shared'), never);
    expect(await hostFiles.read(`${anew.directory}/file`)).toBeUndefined();
    await anew.release();
  });

  it('an aborted signal gets no cache', async () => {
    const { store } = await open();
    const abort = new AbortController();
    abort.abort();
    expect(await rejection(store.acquireCache(request('shared'), abort.signal))).toBe('general.cancelled');
  });
}
