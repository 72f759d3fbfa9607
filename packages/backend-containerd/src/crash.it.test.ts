import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { TestClock } from '@loam/base';
import { startContainerd, type ContainerdServer } from '@loam/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { busyboxBase, openTestBackend } from './testing/test-backend.ts';

let server: ContainerdServer;
beforeAll(async () => {
  server = await startContainerd();
});
afterAll(() => server.stop());

it('vectors (4): kill -9 of an agent whose step writes without end: the next life removes everything, at once', async () => {
  // Its time stands still: what is removed at once waits for none.
  const test = await openTestBackend(server, { clock: new TestClock() });
  const base = await busyboxBase(test);
  await test.backend.settled();
  const program = fileURLToPath(new URL('testing/doomed-agent.ts', import.meta.url));
  const { namespace } = test.client;
  const args = [program, server.address, namespace, test.agentId, test.stateDirectory, server.runcRoot, base];
  const doomed = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(doomed.stdout, 'data');
  const exited = once(doomed, 'exit');
  doomed.kill('SIGKILL');
  await exited;
  expect(await test.leftovers()).not.toEqual([]);

  const reborn = await test.crash();
  expect(await reborn.store.reconcile()).toEqual({
    tasks: 1,
    containers: 1,
    workingSnapshots: 1,
    leases: 1,
    mounts: 1,
    networks: 0,
  });
  expect(await test.leftovers()).toEqual([]);
  expect((await test.client.tasks.list()).length).toBe(0);
  await test.close();
});
