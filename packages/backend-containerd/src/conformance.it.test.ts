import { randomUUID } from 'node:crypto';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { sandboxConformance, storeConformance, type StoreHarness } from '@loam/backend/testsuite';
import { startContainerd, type ContainerdServer } from '@loam/testkit';
import { afterAll, beforeAll } from 'vitest';

import { mountPoints } from './runc/host-mount.ts';
import { hostFiles } from './testing/host-files.ts';
import { busyboxBase, openTestBackend, testPlatform, type TestBackend } from './testing/test-backend.ts';

const run = promisify(execFile);
let server: ContainerdServer;

beforeAll(async () => {
  server = await startContainerd();
});
afterAll(() => server.stop());

storeConformance('containerd, layers through a mount', () => storeHarness(false));
storeConformance('containerd, layers as tar', () => storeHarness(true));

async function storeHarness(layersAsTar: boolean): Promise<StoreHarness> {
  const test = await openTestBackend(server, { layersAsTar });
  const foreign: (() => Promise<void>)[] = [];
  return {
    store: test.backend.store,
    crash: async () => (await test.crash()).store,
    collectGarbage: test.collectGarbage,
    leftovers: test.leftovers,
    plantForeign: () => plantForeign(test, foreign),
    hostFiles,
    close: async () => {
      for (const remove of foreign) await remove();
      await test.close();
    },
  };
}

sandboxConformance('containerd and runc', async () => {
  const test = await openTestBackend(server);
  const { store, sandbox } = test.backend;
  return {
    store,
    sandbox,
    platform: testPlatform,
    base: await busyboxBase(test),
    leftovers: test.leftovers,
    close: test.close,
  };
});

/** In the same namespace, what another agent and a stranger made; on the host, a mount beside ours. */
async function plantForeign({ client }: TestBackend, close: (() => Promise<void>)[]) {
  const snapshots = client.snapshots('overlayfs');
  const root = { 'containerd.io/gc.root': new Date().toISOString() };
  const other = `agt_${randomUUID()}`;
  const key = `loam-run-${randomUUID()}`;
  const stranger = `loam-run-${randomUUID()}`;
  const lease = `loam-${randomUUID()}`;
  await snapshots.prepare({ key, labels: { ...root, 'loam.agent': other } });
  await snapshots.prepare({ key: stranger, labels: root });
  await client.leases.create({ id: lease, labels: { 'loam.agent': other } });
  const container = {
    id: lease,
    labels: { 'loam.agent': other },
    runtime: { name: 'io.containerd.runc.v2' },
    spec: {},
  };
  await client.containers.create(container);
  const mountPoint = join(await mkdtemp(join(tmpdir(), 'loam-foreign-')), 'trees', 'x');
  await mkdir(mountPoint, { recursive: true });
  await run('mount', ['-t', 'tmpfs', 'tmpfs', mountPoint]);
  close.push(async () => {
    await run('umount', [mountPoint]);
    await rm(join(mountPoint, '..', '..'), { recursive: true });
  });
  return {
    async intact(): Promise<boolean> {
      await snapshots.stat(key);
      await snapshots.stat(stranger);
      await client.containers.get(lease);
      const leases = await client.leases.list([`id==${lease}`]);
      return leases.length === 1 && (await mountPoints()).includes(mountPoint);
    },
  };
}
