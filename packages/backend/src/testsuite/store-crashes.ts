import { expect, it } from 'vitest';

import type { StoreHarness } from './harness.ts';
import { file, layer, stream, textOf } from './support.ts';

export function crashTests(open: () => Promise<StoreHarness>): void {
  it('vectors (6): reconcile removes what a crash left, keeps what was finished, and touches nothing that is not ours', async () => {
    const { store, crash, plantForeign, leftovers, hostFiles } = await open();
    const base = await layer(store, null, [file('a', 'finished')]);
    const foreign = await plantForeign();
    const lease = await store.lease('lost attempt');
    const working = await store.prepare(base, 'layer', lease);
    await store.applyLayer(working, stream([file('b', 'unfinished')]));
    await store.prepare(base, 'run', lease);
    await store.tree(base);
    const cache = await store.acquireCache(
      { id: 'downloads', sharing: 'locked', owner: { uid: 0, gid: 0 }, mode: 0o755 },
      new AbortController().signal,
    );
    await hostFiles.write(`${cache.directory}/file`, 'kept');

    const reborn = await crash();
    const report = await reborn.reconcile();
    expect(report.workingSnapshots).toBe(2);
    expect(report.leases).toBe(1);
    expect(await leftovers()).toEqual([]);
    expect(await foreign.intact()).toBe(true);
    expect(await textOf(reborn, base, 'a')).toBe('finished');
    const again = await reborn.acquireCache(
      { id: 'downloads', sharing: 'locked', owner: { uid: 0, gid: 0 }, mode: 0o755 },
      new AbortController().signal,
    );
    expect(await hostFiles.read(`${again.directory}/file`)).toBe('kept');
    await again.release();
    await reborn.remove(base);
  });

  it('reconcile with nothing left over finds nothing, and can be called again', async () => {
    const { store, crash } = await open();
    await layer(store, null, [file('a', 'finished')]);
    const reborn = await crash();
    const nothing = { tasks: 0, containers: 0, workingSnapshots: 0, leases: 0, mounts: 0, networks: 0 };
    expect(await reborn.reconcile()).toEqual(nothing);
    expect(await reborn.reconcile()).toEqual(nothing);
    expect(await reborn.list()).toHaveLength(1);
  });
}
