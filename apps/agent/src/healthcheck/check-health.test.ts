import type { Sandbox } from '@loam/backend';
import { findLeftovers } from '@loam/backend-containerd';
import { LoamError, systemClock } from '@loam/base';
import { afterEach, beforeEach, expect, it } from 'vitest';

import { nanoServer } from '../commands/healthcheck.ts';
import { hostVersion, importWindowsImage, openWindowsModel, type WindowsModel } from '../testing/windows-model.ts';
import { checkHealth, Phases, type HealthOptions } from './check-health.ts';

// On a model of Windows containerd: what it does here is what we believe of Windows.
let model: WindowsModel;
beforeEach(async () => void (model = await openWindowsModel({ mutationThreshold: 1 })));
afterEach(() => model.close());

const image = nanoServer(hostVersion, 'process');

async function check(more: Partial<HealthOptions> = {}): Promise<{ phases: Phases; error: unknown }> {
  const phases = new Phases(systemClock);
  const error = await checkHealth({
    backend: model.backend,
    platform: { os: 'windows', architecture: 'amd64' },
    image,
    refresh: false,
    network: 'none',
    nonce: 'n0nce',
    clock: systemClock,
    signal: new AbortController().signal,
    phases,
    ...more,
  }).catch((thrown: unknown) => thrown);
  return { phases, error };
}

const leftovers = (): Promise<string[]> => findLeftovers(model.client, model.agentId, model.stateDirectory);

it('takes the Nano Server for the build of the host, runs cmd on it, and times each phase', async () => {
  expect(image).toBe('mcr.microsoft.com/windows/nanoserver:ltsc2022');
  await importWindowsImage(model, image, '10.0.20348.2700');
  const { phases, error } = await check();
  expect(error).toBeUndefined();
  const names = 'resolve,pull,prepare,create,start,first output,exit,commit,remove';
  expect([phases.ok, phases.done.map(({ name }) => name).join()]).toEqual([true, names]);
  expect(await leftovers()).toEqual([]);
  expect((await model.client.snapshots('windows').list()).filter(({ name }) => name.includes('health'))).toEqual([]);
});

it('names the phase that failed, and leaves nothing', async () => {
  await importWindowsImage(model, image, '10.0.26100.1');
  const { phases, error } = await check();
  expect(error).toMatchObject({ code: 'backend.platform-missing' });
  expect(phases.done.map(({ name, ok }) => `${name} ${ok}`)).toEqual(['resolve false']);
  expect(await leftovers()).toEqual([]);
});

it('is not content with a process that ends well and says something else', async () => {
  await importWindowsImage(model, image, '10.0.20348.2700');
  const sandbox: Sandbox = {
    async run(_, io) {
      io.onOutput('stdout', Buffer.from('something else'));
      return { kind: 'exited', code: 0 };
    },
  };
  const { store, fetcher, settled } = model.backend;
  const { phases, error } = await check({ backend: { store, fetcher, settled, sandbox } });
  expect(error).toMatchObject({ message: expect.stringContaining('got "something else"') });
  expect(phases.done.at(-1)).toMatchObject({ name: 'exit', ok: false });
  expect(await leftovers()).toEqual([]);
});

it("shows the host's own words to who runs it", async () => {
  await importWindowsImage(model, image, '10.0.20348.2700');
  const sandbox: Sandbox = {
    async run() {
      const internal = 'runc create failed: pivot_root .: invalid argument';
      throw LoamError.of('backend.run-failed', { reason: 'the container runtime reported an error' }, { internal });
    },
  };
  const { store, fetcher, settled } = model.backend;
  const { phases } = await check({ backend: { store, fetcher, settled, sandbox } });
  expect(phases.done.at(-1)).toMatchObject({
    error: { code: 'backend.run-failed' },
    hostSays: expect.stringContaining('pivot_root'),
  });
});

it('refuses a host for which there is no Nano Server', () => {
  expect(() => nanoServer('10.0.19045', 'process')).toThrow('no Nano Server is made for Windows 10.0.19045');
});
