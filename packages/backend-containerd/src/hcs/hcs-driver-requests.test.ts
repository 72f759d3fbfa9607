import { randomUUID } from 'node:crypto';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { RunRequest } from '@loam/backend';
import { describe, expect, it } from 'vitest';

import { useHcsWorld } from '../testing/hcs-world.ts';
import { windowsRun } from '../testing/model-backend.ts';

const world = useHcsWorld();

/** What the driver makes of a request, without a step that runs. */
function prepare(options: Partial<RunRequest>) {
  const lease = { id: 'l', release: () => Promise.resolve() };
  return world.driver.prepareRun({
    id: `r-${randomUUID()}`,
    group: '',
    predecessor: undefined,
    request: windowsRun({ key: 'k', parent: null, purpose: 'run', lease }, options),
    mounts: [],
    io: { onOutput: () => undefined },
  });
}

async function prepared(options: Partial<RunRequest>): Promise<{ spec: object; runtimeOptions: unknown }> {
  const host = await prepare(options);
  await host.release();
  return { spec: host.spec, runtimeOptions: host.runtimeOptions };
}

describe('what a run is given', () => {
  it('vectors (10) networks: a network of its own when it asks for one, by either name, and none when it does not', async () => {
    for (const network of ['host', 'nat'] as const) {
      expect((await prepared({ network })).spec).toHaveProperty('windows.network.networkNamespace', world.namespace);
    }
    expect((await prepared({})).spec).not.toHaveProperty('windows.network');
    await world.open({ networks: undefined as never });
    await expect(prepared({ network: 'nat' })).rejects.toMatchObject({ code: 'backend.network-unsupported' });
  });

  it('isolation by image and policy, the same in specification and options', async () => {
    const older = { os: 'windows', architecture: 'amd64', osVersion: '10.0.17763.1' } as const;
    await expect(prepared({ platform: older })).rejects.toMatchObject({ code: 'backend.os-mismatch' });
    await world.open({ isolation: 'process-or-hyperv' });
    const virtual = await prepared({ platform: older });
    expect(virtual.spec).toHaveProperty('windows.hyperv');
    expect(virtual.runtimeOptions).toMatchObject({ sandboxIsolation: 'hypervisor' });
    expect((await prepared({ limits: { isolation: 'hyperv' } })).spec).toHaveProperty('windows.hyperv');
    const plain = await prepared({});
    expect(plain.spec).not.toHaveProperty('windows.hyperv');
    expect(plain.runtimeOptions).toMatchObject({ sandboxIsolation: 'process', ioRetryTimeoutSec: 30 });
  });
});

it('a refusal names what the host runs, and a build cannot choose what the operator does not allow', async () => {
  await expect(
    prepare({ platform: { os: 'windows', architecture: 'amd64', osVersion: '10.0.17763.1' } }),
  ).rejects.toMatchObject({
    code: 'backend.os-mismatch',
    message: expect.stringMatching(/10\.0\.17763\.1 .*ltsc2022/) as string,
  });
  await expect(prepare({ limits: { isolation: 'hyperv' } })).rejects.toMatchObject({
    code: 'backend.isolation-refused',
  });
});

it('limits of the operator hold for steps whose build sets none', async () => {
  await world.open({ limits: { cpus: 2, memoryBytes: 1 << 30, scratchBytes: 40 << 20 } });
  const { spec } = await prepared({ limits: { cpus: 3 } });
  expect(spec).toMatchObject({ windows: { resources: { cpu: { count: 3 }, memory: { limit: 1 << 30 } } } });
  const label = 'containerd.io/snapshot/windows/rootfs.sizebytes';
  expect(world.driver.snapshotLabels('run')).toEqual({ [label]: String(40 << 20) });
  expect(world.driver.snapshotLabels('run', 60 << 20)).toEqual({ [label]: String(60 << 20) });
  expect(world.driver.snapshotLabels('layer', 60 << 20)).toEqual({});
});

it('the scratch size of a build reaches the snapshotter', async () => {
  const base = await world.baseImage();
  const lease = await world.backend.store.lease('test');
  const working = await world.backend.store.prepare(base, 'run', lease, { scratchBytes: 60 << 20 });
  expect((await world.client.snapshots('windows').stat(working.key)).labels).toMatchObject({
    'containerd.io/snapshot/windows/rootfs.sizebytes': String(60 << 20),
  });
  await world.backend.store.abandon(working);
  await lease.release();
});

it('secrets lie below the directory that the operator names, whose other files stay', async () => {
  const own = join(world.directory, 'secrets');
  await mkdir(own);
  await writeFile(join(own, 'precious'), 'x');
  await world.open({ secretsDirectory: own });
  const base = await world.baseImage();
  const secrets = [{ target: 'C:\\key', value: new TextEncoder().encode('hunter2') }];
  expect((await world.run(base, { secrets, argv: ['cmd', '/S', '/C', 'type C:\\key'] })).stdout).toContain('hunter2');
  await world.backend.store.reconcile();
  expect(await readdir(own)).toEqual(['precious']);
});

it('a network that cannot be taken down is told, and does not change how the step ended', async () => {
  await world.open({
    networks: {
      ...world.networks,
      connect: async () => ({ namespace: world.namespace, release: () => Promise.reject(new Error('HNS is down')) }),
    },
  });
  const base = await world.baseImage();
  expect((await world.run(base, { network: 'nat' })).exit).toEqual({ kind: 'exited', code: 0 });
  expect(world.warnings).toEqual([expect.stringMatching(/^host of loam-.*HNS is down/)]);
});

it('variables without a value are told to be unset, by their last spelling, once even when the step is started again', async () => {
  const base = await world.baseImage();
  let stderr = '';
  await world.step(base, 'run', async (working) => {
    const env = [
      ['A', ''],
      ['Path', 'C:\\x'],
      ['B', ''],
      ['b', 'set again'],
    ] as const;
    await world.backend.sandbox.run(
      windowsRun(working, { env, workdir: 'C:\\not\\there\\yet' }),
      { onOutput: (stream, bytes) => (stderr += stream === 'stderr' ? Buffer.from(bytes).toString() : '') },
      new AbortController().signal,
    );
  });
  expect(stderr).toBe('loam: Windows has no empty variables; not set for this step: A\r\n');
});
