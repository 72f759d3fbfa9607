import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type { Network, SnapshotName } from '@loam/backend';
import { startContainerd, type ContainerdServer } from '@loam/testkit';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';

import { busyboxBase, openTestBackend, testPlatform, type TestBackend } from '../testing/test-backend.ts';
import { namespacePrefix } from '../network-names.ts';
import { natNetwork } from './nat-network.ts';

let server: ContainerdServer;
let test: TestBackend;
let base: SnapshotName;

beforeAll(async () => {
  server = await startContainerd();
  test = await openTestBackend(server);
  base = await busyboxBase(test);
});
afterAll(async () => {
  await test.close();
  await server.stop();
});

async function run(script: string, network: Network): Promise<{ exit: unknown; output: string }> {
  const { store, sandbox } = test.backend;
  const lease = await store.lease('nat');
  const working = await store.prepare(base, 'run', lease);
  let output = '';
  try {
    const exit = await sandbox.run(
      {
        label: 'nat',
        platform: testPlatform,
        working,
        argv: ['/bin/sh', '-c', script],
        workdir: '/',
        env: [],
        user: { kind: 'id', uid: 0, gid: 0 },
        mounts: [],
        secrets: [],
        network,
        hostname: 'builder',
        limits: {},
      },
      { onOutput: (_, bytes) => (output += Buffer.from(bytes).toString()) },
      new AbortController().signal,
    );
    return { exit, output };
  } finally {
    await store.abandon(working);
    await lease.release();
  }
}

it('a step in the NAT network has an address of its own, reaches its gateway, and has its loopback', async () => {
  const script =
    "ip -4 addr show eth0 | grep -o 'inet [0-9.]*'; ping -c 1 -W 60 10.213.0.1 >/dev/null && ping -c 1 127.0.0.1 >/dev/null && echo reached; cat /etc/resolv.conf >/dev/null && sleep 1";
  const steps = await Promise.all([run(script, 'nat'), run(script, 'nat')]);
  for (const { exit, output } of steps) {
    expect(exit).toEqual({ kind: 'exited', code: 0 });
    expect(output).toMatch(/^inet 10\.213\.\d+\.\d+\nreached\n$/);
  }
  expect(steps[0]?.output).not.toBe(steps[1]?.output);
  expect(await test.leftovers()).toEqual([]);
});

it('a host without the plugins refuses before anything is made', async () => {
  const directory = join(test.stateDirectory, 'no-plugins');
  const network = natNetwork(directory, 'agt_x', [directory]);
  await expect(network.connect('run')).rejects.toMatchObject({ code: 'backend.network-unsupported' });
  expect(await network.list()).toEqual([]);
  expect(await network.reconcile()).toBe(0);
});

it('what was left on a host whose plugins have gone since does not keep the agent from starting, and stays in the list', async () => {
  const directory = join(test.stateDirectory, 'plugins-gone');
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'run-1'), '{}');
  const network = natNetwork(directory, 'agt_x', [directory]);
  expect(await network.reconcile()).toBe(0);
  expect(await network.list()).toEqual(['run-1']);
});

it('what a crash left of it is removed by the next life', async () => {
  const driverNetworks = async (): Promise<string> =>
    (await promisify(execFile)('ip', ['netns', 'list'])).stdout
      .split('\n')
      .filter((line) => line.startsWith(namespacePrefix(test.agentId)))
      .join();
  const before = await driverNetworks();
  // A life that has crashed does not see that its step ends, and removes nothing.
  const { promise: reconciled, resolve: onReconciled } = Promise.withResolvers<void>();
  const { tasks } = test.client;
  const wait = tasks.wait.bind(tasks);
  vi.spyOn(tasks, 'wait').mockImplementationOnce(async (...args) => {
    const exit = await wait(...args);
    await reconciled;
    return exit;
  });
  const running = run('sleep 3600', 'nat').catch(() => undefined);
  await expect.poll(() => test.backend.leftovers()).toContainEqual(expect.stringContaining('network of'));
  await expect.poll(async () => (await test.client.tasks.list()).map(({ status }) => status)).toEqual(['running']);
  const next = await test.crash();
  expect(await next.store.reconcile()).toMatchObject({ tasks: 1, networks: 1 });
  onReconciled();
  await running;
  expect(await driverNetworks()).toBe(before);
  expect(await test.leftovers()).toEqual([]);
});
