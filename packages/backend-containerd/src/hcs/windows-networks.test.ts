import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { ScriptedHcn } from '../testing/scripted-hcn.ts';
import { windowsNetworks, type WindowsNetworkSettings } from './windows-networks.ts';

let stateDirectory: string;
let hcn: ScriptedHcn;
let opened: number;

beforeEach(async () => {
  stateDirectory = await mkdtemp(join(tmpdir(), 'loam-networks-'));
  hcn = new ScriptedHcn();
  opened = 0;
});
afterEach(() => rm(stateDirectory, { recursive: true }));

const open = (settings: WindowsNetworkSettings) =>
  windowsNetworks({
    settings,
    openApi: () => {
      opened += 1;
      return Promise.resolve(hcn);
    },
    agentId: 'agt_1',
    randomUUID,
    stateDirectory,
    hostDnsServers: ['9.9.9.9'],
  });

it('without a choice networks are made in process, with the name servers of the host', async () => {
  await open({}).connect('run-1');
  expect([...hcn.things.endpoint.values()]).toMatchObject([{ Dns: { ServerList: ['9.9.9.9'] } }]);
});

it('what the operator says reaches the network that has to be made', async () => {
  await open({ natNetwork: 'builds', natSubnet: '10.1.0.0/16', dnsServers: ['1.1.1.1'] }).connect('run-1');
  expect([...hcn.things.network.values()]).toMatchObject([{ Name: 'builds' }]);
  expect([...hcn.things.endpoint.values()]).toMatchObject([{ Dns: { ServerList: ['1.1.1.1'] } }]);
});

it('none refuses steps that want a network, and asks no service', async () => {
  const none = open({ provider: 'none' });
  await expect(none.connect('run-1')).rejects.toMatchObject({ code: 'backend.network-unsupported' });
  expect(await none.reconcile()).toBe(0);
  expect(opened).toBe(0);
});

it('what was left under another choice is cleaned up all the same', async () => {
  await open({ provider: 'hcn' }).connect('run-1');
  const next = open({ provider: 'none' });
  expect(await next.list()).toEqual(['run-1']);
  expect(await next.reconcile()).toBe(1);
  expect([hcn.things.namespace.size, hcn.things.endpoint.size, await next.list()]).toEqual([0, 0, []]);
});

it.each(['none', 'hcn'] as const)(
  'what cannot be cleaned up any more does not keep the agent from starting, and stays in the list, under %s',
  async (provider) => {
    await open({ provider: 'hcn' }).connect('run-1');
    hcn.faults.set('delete endpoint', 0x803b0017);
    const next = open({ provider });
    expect(await next.reconcile()).toBe(0);
    expect(await next.list()).toEqual(['run-1']);
  },
);

it('a broken configuration of CNI does not keep the agent from starting', async () => {
  await mkdir(join(stateDirectory, 'cni'));
  await mkdir(join(stateDirectory, 'conf'));
  await writeFile(join(stateDirectory, 'cni', 'run-1'), '{}');
  await writeFile(join(stateDirectory, 'conf', 'a.conf'), '{');
  const next = open({ provider: 'cni', cniConfDirectory: join(stateDirectory, 'conf') });
  expect(await next.reconcile()).toBe(0);
  expect(await next.list()).toEqual(['run-1']);
});
