import type { SnapshotName } from '@loam/backend';
import { afterEach, expect, it } from 'vitest';

import { openModelBackend, runOnBase, windowsBase, type ModelBackend } from '../testing/model-backend.ts';

// On the model, which knows of held disks and of layers that cannot be destroyed what the reference says (§2.4, §3.2).
let test: ModelBackend;
let doomed: (id: string) => boolean = () => false;
const warnings: string[] = [];
afterEach(async () => {
  await test.close();
  doomed = () => false;
  warnings.length = 0;
});

async function open(): Promise<SnapshotName> {
  test = await openModelBackend({
    model: { destroyLayerFails: (id) => doomed(id), mutationThreshold: 1e9 },
    backend: { warn: (what, error) => warnings.push(`${what}: ${String(error)}`) },
  });
  const base = await windowsBase(test);
  await runOnBase(test, base, {}, 'step');
  await test.backend.settled();
  return base;
}

const directories = (): number => test.model.snapshotDirectories().length;

it('a removed snapshot leaves the disk soon, for all removals in one collection', async () => {
  const base = await open();
  await runOnBase(test, base, {}, 'other');
  await test.backend.store.disk();
  await test.model.collectGarbage();
  await test.backend.settled();
  const before = directories();
  const leases = (): number => test.model.faults.calls.filter((call) => call === 'Leases.Create').length;
  const leasesBefore = leases();
  await test.backend.store.remove('step' as SnapshotName);
  await test.backend.store.remove('other' as SnapshotName);
  expect(directories()).toBe(before);
  await test.backend.settled();
  expect(directories()).toBe(before - 2);
  expect(leases()).toBe(leasesBefore + 1);
  expect(await test.leftovers()).toEqual([]);
});

it('a start collects what an earlier life removed, though that left no lease', async () => {
  await open();
  await test.model.collectGarbage();
  const before = directories();
  await test.client.snapshots('windows').remove('step');
  await test.crash();
  await test.backend.store.reconcile();
  expect(directories()).toBe(before - 1);
});

it('what cannot be deleted is told once, with its place and what to do, and is not touched', async () => {
  await open();
  await test.backend.store.disk();
  await test.model.collectGarbage();
  doomed = () => true;
  await test.backend.store.remove('step' as SnapshotName);
  await test.backend.settled();
  expect(test.model.snapshotDirectories().filter((name) => name.startsWith('rm-'))).toHaveLength(1);
  expect(warnings).toEqual([expect.stringMatching(/^1 removed snapshots: .*rm-\* in .*snapshots/)]);
  await test.backend.store.reconcile();
  expect(warnings).toHaveLength(1);
  expect(test.model.snapshotDirectories().filter((name) => name.startsWith('rm-'))).toHaveLength(1);
});
