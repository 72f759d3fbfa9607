import { randomUUID } from 'node:crypto';

import type { Sandbox } from '@loam/backend';
import { sandboxConformance, storeConformance } from '@loam/backend/testsuite';

import { onGround } from '../testing/grounded-store.ts';
import { hostFiles } from '../testing/host-files.ts';
import { openWindowsBackend, withTools, type WindowsBackend } from '../testing/windows-backend.ts';

// The ports' suites on a real Windows host with a real containerd: vitest's project `windows`, which there is on Windows only
// (vitest.config.ts). It needs an elevated shell, and the internet for Microsoft's base images. It has never run.
const nanoServer = 'mcr.microsoft.com/windows/nanoserver';
/** Programs of MSYS need more of Windows than Nano Server has. */
const serverCore = 'mcr.microsoft.com/windows/servercore';
/** A directory with sh.exe and the usual small tools. */
const tools = process.env['LOAM_TEST_TOOLS'] ?? 'C:\\Program Files\\Git\\usr\\bin';

storeConformance('HCS on real containerd', async () => {
  const test = await openWindowsBackend(nanoServer);
  const foreign: (() => Promise<void>)[] = [];
  return {
    files: 'windows',
    store: await onGround(test.backend.store, test.base),
    crash: async () => onGround((await test.crash()).store, test.base),
    collectGarbage: test.collectGarbage,
    leftovers: test.leftovers,
    plantForeign: () => plantForeign(test, foreign),
    hostFiles,
    close: async () => {
      for (const remove of foreign) await remove();
      await test.close();
    },
  };
});

sandboxConformance('HCS on real containerd', async () => {
  const test = await openWindowsBackend(serverCore);
  const base = await withTools(test, tools);
  return {
    files: 'windows',
    store: test.backend.store,
    sandbox: withShell(test.backend.sandbox),
    platform: test.platform,
    base,
    leftovers: test.leftovers,
    close: test.close,
  };
});

/** The suite calls /bin/sh, which is a path for programs of MSYS only. */
function withShell(sandbox: Sandbox): Sandbox {
  return {
    run: (request, io, signal) => {
      const [program, ...rest] = request.argv;
      const argv = program === '/bin/sh' ? ['C:\\usr\\bin\\sh.exe', ...rest] : request.argv;
      return sandbox.run({ ...request, argv }, io, signal);
    },
  };
}

/** In the same namespace, what another agent and a stranger made. */
async function plantForeign({ client }: WindowsBackend, close: (() => Promise<void>)[]) {
  const snapshots = client.snapshots('windows');
  const root = { 'containerd.io/gc.root': new Date().toISOString() };
  const other = { 'loam.agent': `agt_${randomUUID()}` };
  const id = `loam-${randomUUID()}`;
  await snapshots.prepare({ key: `loam-run-${id}`, labels: { ...root, ...other } });
  await snapshots.prepare({ key: `stranger-${id}`, labels: root });
  await client.leases.create({ id, labels: other });
  await client.containers.create({ id, labels: other, runtime: { name: 'io.containerd.runhcs.v1' }, spec: {} });
  close.push(async () => {
    await client.containers.delete(id);
    await client.leases.delete(id);
    for (const key of [`loam-run-${id}`, `stranger-${id}`]) await snapshots.remove(key);
  });
  return {
    async intact(): Promise<boolean> {
      await snapshots.stat(`loam-run-${id}`);
      await snapshots.stat(`stranger-${id}`);
      await client.containers.get(id);
      return (await client.leases.list([`id==${id}`])).length === 1;
    },
  };
}
