import { expect, it } from 'vitest';

import type { SnapshotName } from '../index.ts';
import type { StoreHarness } from './harness.ts';
import { directory, file, freshName, layer, rejection, stream, textOf } from './support.ts';

export function snapshotTests(open: () => Promise<StoreHarness>): void {
  it('a committed snapshot has its name, parent and labels; an unknown name has none', async () => {
    const { store } = await open();
    const base = await layer(store, null, [file('a', 'one')]);
    const lease = await store.lease('conformance');
    const working = await store.prepare(base, 'layer', lease);
    const name = freshName();
    expect(await store.stat(name)).toBeUndefined();
    const before = Date.now();
    const labels = { 'loam.kind': 'copy', 'loam.op': '(copy (src "ä 漢 \\"") (dst /))' };
    const snapshot = await store.commit(working, name, labels);
    expect(snapshot).toMatchObject({ name, parent: base, labels });
    expect(await store.stat(name)).toEqual(snapshot);
    expect(Math.abs(snapshot.createdAtMs - before)).toBeLessThan(60_000);
    await lease.release();
  });

  it('two snapshots on one parent do not see each other', async () => {
    const { store } = await open();
    const base = await layer(store, null, [directory('d'), file('d/base', 'base')]);
    const left = await layer(store, base, [file('d/left', 'left')]);
    const right = await layer(store, base, [file('d/base', 'changed')]);
    expect(await textOf(store, left, 'd/base')).toBe('base');
    expect(await textOf(store, left, 'd/left')).toBe('left');
    expect(await textOf(store, right, 'd/base')).toBe('changed');
    expect(await textOf(store, right, 'd/left')).toBeUndefined();
    expect(await textOf(store, base, 'd/base')).toBe('base');
  });

  it('commit under a name that exists keeps the first and leaves nothing of the second', async () => {
    const { store } = await open();
    const name = freshName();
    await layer(store, null, [file('a', 'first')], name);
    const lease = await store.lease('conformance');
    const working = await store.prepare(null, 'layer', lease);
    await store.applyLayer(working, stream([file('a', 'second')]));
    const snapshot = await store.commit(working, name, { other: 'labels' });
    expect(snapshot).toMatchObject({ name, labels: {} });
    expect(await textOf(store, name, 'a')).toBe('first');
    await store.abandon(working);
    expect(await textOf(store, name, 'a')).toBe('first');
    await lease.release();
  });

  it('an abandoned working snapshot is gone, and abandoning twice is no failure', async () => {
    const { store, leftovers } = await open();
    const lease = await store.lease('conformance');
    const working = await store.prepare(null, 'layer', lease);
    await store.applyLayer(working, stream([file('a', 'text')]));
    await store.abandon(working);
    await store.abandon(working);
    await lease.release();
    expect(await leftovers()).toEqual([]);
    expect(await store.list()).toEqual([]);
  });

  it('prepare on a parent that is gone says so, for both purposes', async () => {
    const { store } = await open();
    const lease = await store.lease('conformance');
    const missing = freshName();
    expect(await rejection(store.prepare(missing, 'layer', lease))).toBe('backend.snapshot-missing');
    expect(await rejection(store.prepare(missing, 'run', lease))).toBe('backend.snapshot-missing');
    expect(await rejection(store.tree(missing))).toBe('backend.snapshot-missing');
    expect(await rejection(store.usage(missing))).toBe('backend.snapshot-missing');
    await lease.release();
  });

  it('a snapshot with children is not removed; without them it is, and removing it again succeeds', async () => {
    const { store } = await open();
    const base = await layer(store, null, [file('a', 'base')]);
    const child = await layer(store, base, [file('b', 'child')]);
    expect(await rejection(store.remove(base))).toBe('backend.snapshot-in-use');
    expect(await store.stat(base)).toBeDefined();
    await store.remove(child);
    await store.remove(base);
    await store.remove(base);
    await store.remove('never-was' as SnapshotName);
    expect(await store.list()).toEqual([]);
  });

  it('a snapshot with an open reader is not removed', async () => {
    const { store } = await open();
    const name = await layer(store, null, [file('a', 'text')]);
    const reader = await store.tree(name);
    expect(await rejection(store.remove(name))).toBe('backend.snapshot-in-use');
    await reader.close();
    await reader.close();
    await store.remove(name);
    expect(await store.stat(name)).toBeUndefined();
  });

  it('list gives every committed snapshot and no working one', async () => {
    const { store } = await open();
    const base = await layer(store, null, [file('a', 'a')]);
    const child = await layer(store, base, [file('b', 'b')]);
    const lease = await store.lease('conformance');
    const working = await store.prepare(child, 'layer', lease);
    const listed = (await store.list()).map((snapshot) => [snapshot.name, snapshot.parent] as const);
    expect(new Map(listed)).toEqual(new Map([[base, null] as const, [child, base] as const]));
    await store.abandon(working);
    await lease.release();
  });

  it("usage counts a snapshot's own bytes and not its parent's; disk tells of the volume", async () => {
    const { store } = await open();
    const base = await layer(store, null, [file('big', 'x'.repeat(300_000))]);
    const child = await layer(store, base, [file('small', 'x'.repeat(10_000))]);
    expect((await store.usage(base)).sizeBytes).toBeGreaterThanOrEqual(300_000);
    const usage = await store.usage(child);
    expect(usage.sizeBytes).toBeGreaterThanOrEqual(10_000);
    expect(usage.sizeBytes).toBeLessThan(100_000);
    expect(usage.inodes).toBeGreaterThanOrEqual(1);
    const disk = await store.disk();
    expect(disk.freeBytes).toBeGreaterThan(0);
    expect(disk.totalBytes).toBeGreaterThanOrEqual(disk.freeBytes);
  });

  it('what is made under a lease outlives the garbage collector; a committed snapshot outlives the lease', async () => {
    const { store, collectGarbage } = await open();
    const lease = await store.lease('conformance');
    const working = await store.prepare(null, 'layer', lease);
    await store.applyLayer(working, stream([file('a', 'kept')]));
    await collectGarbage();
    const { name } = await store.commit(working, freshName(), {});
    await collectGarbage();
    await lease.release();
    await lease.release();
    await collectGarbage();
    expect(await textOf(store, name, 'a')).toBe('kept');
  });

  it('what a released lease protected becomes garbage', async () => {
    const { store, collectGarbage, leftovers } = await open();
    const lease = await store.lease('conformance');
    await store.prepare(null, 'layer', lease);
    await lease.release();
    await collectGarbage();
    expect(await leftovers()).toEqual([]);
  });

  it('many prepares, commits and removals at once do not disturb each other', async () => {
    const { store } = await open();
    const base = await layer(store, null, [file('base', 'base')]);
    const names = await Promise.all(
      Array.from({ length: 8 }, (_, index) => layer(store, base, [file('own', String(index))])),
    );
    const texts = await Promise.all(names.map((name) => textOf(store, name, 'own')));
    expect(texts).toEqual(names.map((_, index) => String(index)));
    await Promise.all(names.map((name) => store.remove(name)));
    expect((await store.list()).map((snapshot) => snapshot.name)).toEqual([base]);
  });

  it('vectors (5): a chain of 150 snapshots can be made, read and built upon', async () => {
    const { store } = await open();
    let top: SnapshotName | null = null;
    for (let depth = 0; depth < 150; depth += 1) {
      top = await layer(store, top, [file(`file-${depth}`, `depth ${depth}`), file('last', String(depth))]);
    }
    if (top === null) throw new Error('unreachable');
    expect(await textOf(store, top, 'file-0')).toBe('depth 0');
    expect(await textOf(store, top, 'last')).toBe('149');
  });
}
