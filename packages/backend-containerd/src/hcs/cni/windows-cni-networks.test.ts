import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock, TestClock, type Clock } from '@loam/base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { pluginsIn, type RunPlugin } from '../../cni/conflist.ts';
import { makeFakeCniPlugin, type FakeCniPlugin } from '../../testing/fake-cni-plugin.ts';
import { openModelBackend, runOnBase, windowsBase } from '../../testing/model-backend.ts';
import { ScriptedHcn } from '../../testing/scripted-hcn.ts';
import { WindowsCniNetworks, type WindowsCniOptions } from './windows-cni-networks.ts';

// The plugin is a fake and so is the service: what passes here shows our side of the protocol (reference §6.3) alone.
let directory: string;
let hcn: ScriptedHcn;
let plugin: FakeCniPlugin;
/** What the service does with a plugin's endpoint; none when the plugin lies. */
let endpointOf: (call: { id: string; network: string; namespace: string }) => object | undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'loam-wcni-'));
  hcn = new ScriptedHcn();
  hcn.things.network.set('6c1f0000-0000-4000-8000-000000000001', {
    Name: 'nat',
    Ipams: [
      {
        Subnets: [
          {
            IpAddressPrefix: '172.30.0.0/16',
            Routes: [{ NextHop: '172.30.0.1', DestinationPrefix: '0.0.0.0/0' }],
          },
        ],
      },
    ],
  });
  plugin = await makeFakeCniPlugin(join(directory, 'bin'), 'nat');
  endpointOf = ({ id, network, namespace }) => ({
    Name: `${id}_${network}`,
    HostComputeNamespace: namespace,
    IpConfigurations: [{ IpAddress: '172.30.0.9' }],
  });
});
afterEach(() => rm(directory, { recursive: true }));

/** Runs the program for real, and has the service know of what it would have made. */
function plugins(clock: Clock): RunPlugin {
  return async (type, environment, input) => {
    const answer = await pluginsIn(plugin.directory, clock)(type, environment, input);
    const { CNI_COMMAND: command, CNI_CONTAINERID: id = '', CNI_NETNS: namespace = '' } = environment;
    const endpoint = endpointOf({ id, namespace, network: (JSON.parse(input) as { name: string }).name });
    if (command === 'ADD' && endpoint) hcn.things.endpoint.set(id, endpoint);
    if (command === 'DEL') hcn.things.endpoint.delete(id);
    return answer;
  };
}

function open(options: Partial<WindowsCniOptions> = {}, clock: Clock = systemClock): WindowsCniNetworks {
  return new WindowsCniNetworks({
    openApi: () => Promise.resolve(hcn),
    agentId: 'agt_1',
    randomUUID,
    directory: join(directory, 'runs'),
    dnsServers: ['9.9.9.9'],
    confDirectory: join(directory, 'conf'),
    runPlugin: plugins(clock),
    ...options,
  });
}

const left = async (): Promise<unknown[]> => [
  ...hcn.things.namespace.keys(),
  ...hcn.things.endpoint.keys(),
  ...(await readdir(join(directory, 'runs')).catch(() => [])),
];

describe('a run with a network by CNI on Windows', () => {
  it('has a namespace of its own that the plugin is told, and leaves nothing', async () => {
    const network = await open().connect('run-1');
    expect(network.namespace).toMatch(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect([...hcn.things.namespace.keys()]).toEqual([network.namespace]);
    await network.release();
    expect(await plugin.calls()).toMatchObject([
      { command: 'ADD', containerId: 'run-1', namespace: network.namespace },
      { command: 'DEL', containerId: 'run-1', namespace: network.namespace, config: { prevResult: {} } },
    ]);
    expect(await left()).toEqual([]);
  });

  it('is configured from the NAT network that the host has, with the gateway under the key that the plugin reads', async () => {
    await open().connect('run-1');
    const [{ config } = { config: {} }] = await plugin.calls();
    expect(config).toMatchObject({
      cniVersion: '1.0.0',
      name: 'nat',
      type: 'nat',
      ipam: { subnet: '172.30.0.0/16', routes: [{ GW: '172.30.0.1' }] },
      dns: { nameservers: ['9.9.9.9'] },
    });
  });

  it('is configured by the first file of the directory when there is one', async () => {
    await mkdir(join(directory, 'conf'));
    await writeFile(join(directory, 'conf', '1.txt'), 'not one');
    await writeFile(join(directory, 'conf', 'b.conf'), '\uFEFF{"cniVersion":"0.4.0","name":"mine","type":"nat","x":1}');
    await writeFile(join(directory, 'conf', 'c.conflist'), '{}');
    await open().connect('run-1');
    expect((await plugin.calls())[0]?.config).toMatchObject({ name: 'mine', cniVersion: '0.4.0', x: 1 });
  });

  it.each([
    ['{', 'not JSON'],
    ['null', 'no name'],
    ['{"name":"x"}', 'no plugin'],
    ['{"name":"x","plugins":{}}', 'no plugin'],
    ['{"name":"x","plugins":[null]}', 'no program name'],
    ['{"name":"x","type":"..\\\\..\\\\evil"}', 'no program name'],
  ])('is refused for the configuration %s', async (text, reason) => {
    await mkdir(join(directory, 'conf'));
    await writeFile(join(directory, 'conf', 'a.conf'), text);
    await expect(open().connect('run-1')).rejects.toMatchObject({
      code: 'backend.cni-conf-invalid',
      message: expect.stringContaining(reason) as string,
    });
    expect(await left()).toEqual([]);
  });

  it.each([
    ['fail' as const, 'no room: in the subnet'],
    ['babble' as const, 'its answer is not JSON: well'],
  ])('whose plugin does %s fails with its words in the log, and leaves nothing', async (how, words) => {
    await makeFakeCniPlugin(plugin.directory, 'nat', { how });
    await expect(open().connect('run-1')).rejects.toMatchObject({
      code: 'backend.cni-failed',
      internal: expect.stringContaining(words) as string,
    });
    expect(await left()).toEqual([]);
  });

  it('whose plugin hangs fails at the time limit, with its words in the log, and leaves nothing', async () => {
    plugin = await makeFakeCniPlugin(plugin.directory, 'nat', { how: 'hang' });
    const clock = new TestClock();
    const refused = expect(open({}, clock).connect('run-1')).rejects.toMatchObject({
      code: 'backend.cni-failed',
      internal: expect.stringContaining('did not end within 60 s: waiting for HNS') as string,
    });
    await expect.poll(() => plugin.calls()).toHaveLength(1);
    // What it had said before that can be read now, and is at the next turn.
    for (let turn = 0; turn < 2; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(60_000);
    await refused;
    expect(await left()).toEqual([]);
  });

  it.each([
    ['no endpoint', () => undefined],
    ['namespace', ({ id }: { id: string }) => ({ Name: `${id}_nat`, HostComputeNamespace: randomUUID() })],
    [
      'attached to no namespace',
      ({ id }: { id: string }) => ({
        Name: `${id}_nat`,
        HostComputeNamespace: '00000000-0000-0000-0000-000000000000',
        IpConfigurations: [{ IpAddress: '172.30.0.9' }],
      }),
    ],
    [
      '172.30.0.8',
      ({ id }: { id: string }) => ({ Name: `${id}_nat`, IpConfigurations: [{ IpAddress: '172.30.0.8' }] }),
    ],
  ])('whose plugin says what the service does not know is refused: %s', async (words, endpoint) => {
    endpointOf = endpoint;
    await expect(open().connect('run-1')).rejects.toMatchObject({
      code: 'backend.cni-failed',
      internal: expect.stringContaining(words) as string,
    });
    expect(await left()).toEqual([]);
  });

  it('that a crash left is undone by the next life, which remembers no GUID', async () => {
    const { namespace } = await open().connect('run-1');
    expect(await open().reconcile()).toBe(1);
    expect((await plugin.calls()).at(-1)).toMatchObject({ command: 'DEL', namespace });
    expect(await left()).toEqual([]);
  });

  it('has no GUID of another agent', async () => {
    const namespaces: string[] = [];
    // One after the other: the service tells runs of one name apart only as long as there is one at a time.
    for (const agentId of ['agt_1', 'agt_2']) {
      const network = await open({ agentId, directory: join(directory, agentId) }).connect('run-1');
      namespaces.push(network.namespace);
      await network.release();
    }
    expect(new Set(namespaces).size).toBe(2);
  });
});

it('a step on the model runs in the namespace that was made for it, and the service forgets it afterwards', async () => {
  const test = await openModelBackend({
    model: { host: { hasNetworkNamespace: (guid) => hcn.things.namespace.has(guid) } },
    driver: { networks: open() },
  });
  try {
    const base = await windowsBase(test);
    const { exit, stdout } = await runOnBase(test, base, { argv: ['cmd', '/S', '/C', 'ipconfig'], network: 'nat' });
    expect(exit).toEqual({ kind: 'exited', code: 0 });
    expect(stdout).toContain('Ethernet adapter');
    expect(await left()).toEqual([]);
    expect(await test.leftovers()).toEqual([]);
  } finally {
    await test.close();
  }
});
