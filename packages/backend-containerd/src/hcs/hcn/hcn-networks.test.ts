import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { LoamError } from '@loam/base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { HcnNetworks } from './hcn-networks.ts';
import { guidBytes } from './koffi-hcn.ts';
import { ScriptedHcn } from '../../testing/scripted-hcn.ts';

const natId = '6c1f0000-0000-4000-8000-000000000001';
const nat = {
  Name: 'nat',
  Type: 'NAT',
  Ipams: [{ Subnets: [{ Routes: [{ NextHop: '172.30.0.1', DestinationPrefix: '0.0.0.0/0' }] }] }],
};

let directory: string;
let hcn: ScriptedHcn;
let networks: HcnNetworks;

function open(agentId = 'agt_1', options: { networkName?: string; subnet?: string } = {}): HcnNetworks {
  return new HcnNetworks({
    ...options,
    openApi: () => Promise.resolve(hcn),
    agentId,
    directory: join(directory, 'networks'),
    randomUUID,
    dnsServers: ['9.9.9.9'],
  });
}
const records = (): Promise<string[]> => readdir(join(directory, 'networks')).catch(() => []);

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'loam-hcn-'));
  hcn = new ScriptedHcn();
  hcn.things.network.set(natId, nat);
  networks = open();
});
afterEach(() => rm(directory, { recursive: true }));

describe('a run in the NAT network', () => {
  it('§11.2 #21: has a namespace and an endpoint of its own, and leaves neither', async () => {
    const network = await networks.connect('run-1');
    const [[endpointId, endpoint]] = [...hcn.things.endpoint] as [[string, object]];
    expect([...hcn.things.namespace.keys()]).toEqual([network.namespace]);
    expect(hcn.attached.get(endpointId)).toBe(network.namespace);
    expect(endpoint).toEqual({
      SchemaVersion: { Major: 2, Minor: 0 },
      Name: expect.stringMatching(/^loam-[0-9a-f]{12}-run-1$/) as string,
      HostComputeNetwork: natId,
      Policies: [],
      IpConfigurations: [],
      Dns: { Search: [], ServerList: ['9.9.9.9'] },
      Routes: [{ NextHop: '172.30.0.1', DestinationPrefix: '0.0.0.0/0' }],
    });
    expect(await networks.list()).toEqual(['run-1']);
    await network.release();
    await network.release();
    expect(hcn.calls.slice(-3)).toEqual(['detach', 'delete endpoint', 'delete namespace']);
    expect([hcn.things.endpoint.size, hcn.things.namespace.size, await records()]).toEqual([0, 0, []]);
  });

  it('has its ids on disk before the service hears of them, and until it has forgotten them', async () => {
    hcn.before = async (call) => {
      if (/namespace|endpoint|tach/.test(call)) expect(await records()).toEqual(['run-1']);
    };
    const network = await networks.connect('run-1');
    await network.release();
    expect(await records()).toEqual([]);
  });

  it.each(['create namespace', 'create endpoint', 'attach'])('that fails at %s leaves nothing', async (call) => {
    hcn.faults.set(call, 0x803b002e);
    await expect(networks.connect('run-1')).rejects.toMatchObject({ code: 'backend.hcn-attach-failed' });
    expect([hcn.things.endpoint.size, hcn.things.namespace.size, await records()]).toEqual([0, 0, []]);
    await (await networks.connect('run-2')).release();
  });

  it('tells why it failed even when it cannot be undone either, and keeps its record', async () => {
    hcn.faults.set('attach', 0x803b002e);
    hcn.faults.set('delete endpoint', 0x803b0017);
    await expect(networks.connect('run-1')).rejects.toMatchObject({ code: 'backend.hcn-attach-failed' });
    expect(await records()).toEqual(['run-1']);
  });

  it('keeps its record when the service would not delete, and the next life deletes', async () => {
    const network = await networks.connect('run-1');
    hcn.faults.set('delete endpoint', 0x803b0017);
    await expect(network.release()).rejects.toMatchObject({ code: 'backend.hcn-unhealthy' });
    expect(await records()).toEqual(['run-1']);
    expect(await open().reconcile()).toBe(1);
    expect([hcn.things.endpoint.size, hcn.things.namespace.size, await records()]).toEqual([0, 0, []]);
  });
});

describe('the NAT network', () => {
  it('is made when the host has none, once', async () => {
    hcn.things.network.clear();
    for (const run of ['a', 'b']) await (await networks.connect(run)).release();
    expect([...hcn.things.network.values()]).toMatchObject([{ Name: 'nat', Type: 'NAT' }]);
    expect(hcn.calls.filter((call) => call === 'create network')).toHaveLength(1);
  });

  it('of another name is used as it is: a host has one only', async () => {
    hcn.things.network.clear();
    hcn.things.network.set('other', { Name: 'Default Switch', Type: 'ICS' });
    hcn.things.network.set(natId, { ...nat, Name: 'docker', Type: 'NAT' });
    await networks.connect('a');
    expect([...hcn.things.endpoint.values()]).toMatchObject([{ HostComputeNetwork: natId }]);
    expect(hcn.calls).not.toContain('create network');
  });

  it('that the operator named is used or made, and none beside another NAT network', async () => {
    const named = open('agt_1', { networkName: 'builds', subnet: '10.9.0.0/24' });
    await expect(named.connect('a')).rejects.toMatchObject({
      code: 'backend.hcn-conflict',
      message: expect.stringContaining('"builds"') as string,
    });
    hcn.things.network.clear();
    await named.connect('b');
    expect([...hcn.things.network.values()]).toMatchObject([
      {
        Name: 'builds',
        Ipams: [{ Subnets: [{ IpAddressPrefix: '10.9.0.0/24', Routes: [{ NextHop: '10.9.0.1' }] }] }],
      },
    ]);
  });

  it('that somebody else makes at the same moment is used', async () => {
    hcn.things.network.clear();
    hcn.before = (call) => {
      if (call !== 'create network') return;
      hcn.things.network.set(natId, nat);
      hcn.faults.set(call, 0x803b0010);
    };
    await networks.connect('a');
    expect([...hcn.things.endpoint.values()]).toMatchObject([{ HostComputeNetwork: natId }]);
  });

  it('that was replaced is found again by the next run', async () => {
    await (await networks.connect('a')).release();
    hcn.things.network.clear();
    await expect(networks.connect('b')).rejects.toMatchObject({ code: 'backend.hcn-unhealthy' });
    await (await networks.connect('c')).release();
    expect(hcn.things.network.size).toBe(1);
  });
});

describe('after a crash', () => {
  it('what runs had is deleted, a record that was never whole too', async () => {
    await networks.connect('run-1');
    await networks.connect('run-2');
    await writeFile(join(directory, 'networks', 'run-3.new'), '{"name');
    expect(await open().reconcile()).toBe(3);
    expect([hcn.things.endpoint.size, hcn.things.namespace.size, await records()]).toEqual([0, 0, []]);
  });

  it('endpoints whose record was lost are found by their name; those of others stay', async () => {
    await networks.connect('run-1');
    await rm(join(directory, 'networks'), { recursive: true });
    hcn.things.endpoint.set('foreign', { Name: 'azure-cni-1' });
    await open('agt_2').connect('run-9');
    await rm(join(directory, 'networks'), { recursive: true });
    expect(await open().reconcile()).toBe(1);
    expect([...hcn.things.endpoint.values()]).toHaveLength(2);
  });

  it('a host without the service is not asked', async () => {
    const none = new HcnNetworks({
      openApi: () => Promise.reject(LoamError.of('backend.hcn-unavailable', {})),
      agentId: 'agt_1',
      directory: join(directory, 'networks'),
      randomUUID,
      dnsServers: [],
    });
    expect(await none.reconcile()).toBe(0);
  });

  it('on a host whose service was away when a step wanted a network, nothing is left, and the service is tried again', async () => {
    let isThere = false;
    const late = new HcnNetworks({
      openApi: () => (isThere ? Promise.resolve(hcn) : Promise.reject(LoamError.of('backend.hcn-unavailable', {}))),
      agentId: 'agt_1',
      directory: join(directory, 'networks'),
      randomUUID,
      dnsServers: [],
    });
    await expect(late.connect('run-1')).rejects.toMatchObject({ code: 'backend.hcn-unavailable' });
    expect(await records()).toEqual([]);
    expect(await late.reconcile()).toBe(0);
    isThere = true;
    await (await late.connect('run-2')).release();
  });

  it('what the service does not let go of keeps neither the rest nor the agent from going on', async () => {
    for (const run of ['run-1', 'run-2']) await networks.connect(run);
    hcn.faults.set('delete endpoint', 0x803b0017);
    expect(await open().reconcile()).toBe(1);
    expect(await records()).toHaveLength(1);
    expect(await open().reconcile()).toBe(1);
    expect([hcn.things.endpoint.size, hcn.things.namespace.size, await records()]).toEqual([0, 0, []]);
  });

  it('a service that is ill is asked for leaks by the next life', async () => {
    await networks.connect('run-1');
    await rm(join(directory, 'networks'), { recursive: true });
    hcn.faults.set('enumerate endpoint', 0x803b0017);
    expect(await open().reconcile()).toBe(0);
    expect(await open().reconcile()).toBe(1);
  });
});

it.each([
  [0x803b0010, 'backend.hcn-conflict', 'NETWORK_ALREADY_EXISTS'],
  [0x80071392, 'backend.hcn-conflict', 'OBJECT_ALREADY_EXISTS'],
  [0x803b0017, 'backend.hcn-unhealthy', 'DEGRADED_OPERATION'],
  [0x803b001b, 'backend.hcn-refused', 'INVALID_JSON'],
  [0x80004005, 'backend.hcn-refused', 'unknown reason'],
])('HRESULT %i is %s', async (hresult, code, name) => {
  hcn.faults.set('create endpoint', hresult);
  await expect(networks.connect('a')).rejects.toMatchObject({
    code,
    message: expect.stringContaining(name) as string,
    internal: expect.stringContaining('scripted') as string,
  });
});

it('a GUID lies in memory as Windows has it', () => {
  expect(Buffer.from(guidBytes('00112233-4455-6677-8899-aabbccddeeff')).toString('hex')).toBe(
    '33221100554477668899aabbccddeeff',
  );
  expect(() => guidBytes('{x}')).toThrow('not a GUID');
});
