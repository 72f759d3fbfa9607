import { randomUUID } from 'node:crypto';

import { sandboxConformance, storeConformance } from '@loam/backend/testsuite';

import { hostFiles } from '../testing/host-files.ts';
import { openModelBackend, windowsBase, windowsPlatform, type ModelBackend } from '../testing/model-backend.ts';

storeConformance('HCS on a model of Windows containerd', async () => {
  const test = await openModelBackend({ model: { presentPrograms: ['cmd', 'tar'] } });
  return {
    files: 'windows',
    store: test.backend.store,
    crash: async () => (await test.crash()).store,
    collectGarbage: () => test.model.collectGarbage(),
    leftovers: test.leftovers,
    plantForeign: () => plantForeign(test),
    hostFiles,
    close: test.close,
  };
});

sandboxConformance('HCS on a model of Windows containerd', async () => {
  const test = await openModelBackend();
  const { store, sandbox } = test.backend;
  return {
    files: 'windows',
    store,
    sandbox,
    platform: windowsPlatform,
    base: await windowsBase(test, { users: ['builder'] }),
    leftovers: test.leftovers,
    close: test.close,
  };
});

/** In the same namespace, what another agent and a stranger made. */
async function plantForeign({ client }: ModelBackend) {
  const snapshots = client.snapshots('windows');
  const root = { 'containerd.io/gc.root': new Date().toISOString() };
  const other = `agt_${randomUUID()}`;
  const id = `loam-${randomUUID()}`;
  await snapshots.prepare({ key: `loam-run-${id}`, labels: { ...root, 'loam.agent': other } });
  await snapshots.prepare({ key: `stranger-${id}`, labels: root });
  await client.leases.create({ id, labels: { 'loam.agent': other } });
  await client.containers.create({
    id,
    labels: { 'loam.agent': other },
    runtime: { name: 'io.containerd.runhcs.v1' },
    spec: {},
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
