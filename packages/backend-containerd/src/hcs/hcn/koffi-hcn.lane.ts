import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import koffi from 'koffi';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';

import type { HcnApi } from './hcn-api.ts';
import { HcnNetworks } from './hcn-networks.ts';
import { openKoffiHcn } from './koffi-hcn.ts';

// A stub that we wrote plays computenetwork.dll. It shows that our calls have the types of Microsoft's reference; what the
// service does with them it cannot show.
const dll = process.env['LOAM_LANE_HCN'] ?? '';
const library = koffi.load(dll);
const plan = library.func('void StubPlan(str16 call, int32_t result, str16 record, uint32_t delay_ms)');
const calls = library.func('str16 StubCalls()');
const openHandles = library.func('int32_t StubOpenHandles()');
const liveTexts = library.func('int32_t StubLiveTexts()');
const reset = library.func('void StubReset()');
const currentThread = koffi.load('kernel32.dll').func('uint32_t GetCurrentThreadId()');

const home = mkdtempSync(join(tmpdir(), 'loam-hcn-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

let hcn: HcnApi;
beforeEach(async () => {
  reset();
  hcn = await openKoffiHcn({ network: dll, memory: dll });
});

interface Call {
  readonly name: string;
  readonly id: string;
  readonly text: string;
  readonly thread: number;
}
function recorded(): Call[] {
  const lines = (calls() as string).split('\n').slice(0, -1);
  return lines.map((line) => {
    const [name = '', id = '', text = '', thread = ''] = line.split('\t');
    return { name, id, text, thread: Number(thread) };
  });
}
const names = (): string[] => recorded().map(({ name }) => name);

const id = '00112233-4455-6677-8899-aabbccddeeff';

describe('a call of computenetwork.dll', () => {
  it('hands over a GUID as Windows has it and text as UTF-16', async () => {
    const settings = { Name: 'nät ☃ 𝄞', Type: 'NAT' };
    await hcn.createNetwork(id, settings);
    const [create, close] = recorded();
    expect(create).toMatchObject({ name: 'HcnCreateNetwork', id: id.toUpperCase(), text: JSON.stringify(settings) });
    expect(close?.name).toBe('HcnCloseNetwork');
    expect(await hcn.query('network', id)).toEqual(settings);
    expect(await hcn.enumerate('network')).toEqual([id]);
    expect(JSON.parse(recorded().at(-1)?.text ?? '')).toEqual({ SchemaVersion: { Major: 2, Minor: 0 }, Flags: 0 });
  });

  it.each([
    [0x803b0010, 'HcnCreateNamespace', (api: HcnApi) => api.createNamespace(id, {})],
    [0x80070490, 'HcnDeleteEndpoint', (api: HcnApi) => api.delete('endpoint', id)],
    [0x803b002e, 'HcnEnumerateNamespaces', (api: HcnApi) => api.enumerate('namespace')],
  ])('that answers %s is a refusal with that number and its record: %s', async (hresult, name, call) => {
    plan(name, hresult | 0, '{"Error":"größer ☃"}', 0);
    await expect(call(hcn)).rejects.toMatchObject({
      call: name,
      hresult,
      message: expect.stringContaining('größer ☃') as string,
    });
    expect(liveTexts()).toBe(0);
  });

  it('that succeeds with a record beside it is a refusal, too', async () => {
    plan('HcnCreateNamespace', 0, 'half done', 0);
    await expect(hcn.createNamespace(id, {})).rejects.toMatchObject({ hresult: 0, message: /half done/ });
  });

  it('that takes long runs on another thread, and holds nothing else up', async () => {
    plan('HcnCreateNamespace', 0, null, 500);
    let isOver = false;
    let turns = 0;
    const making = hcn.createNamespace(id, {}).then(() => (isOver = true));
    while (!isOver && turns < 10) {
      await new Promise((resolve) => setImmediate(resolve));
      turns++;
    }
    expect(isOver).toBe(false);
    expect(await hcn.enumerate('network')).toEqual([]);
    await making;
    expect(recorded()[0]?.thread).not.toBe(currentThread());
  });

  it('leaves no handle open and no text in memory, whatever it answers', async () => {
    await hcn.createNetwork(id, {});
    await hcn.createEndpoint(id, randomUUID(), {});
    await hcn.enumerate('endpoint');
    plan('HcnQueryNetworkProperties', 0x803b0017 | 0, 'not now', 0);
    await expect(hcn.query('network', id)).rejects.toMatchObject({ hresult: 0x803b0017 });
    await expect(hcn.query('network', randomUUID())).rejects.toMatchObject({ hresult: 0x80070490 });
    await hcn.delete('network', id);
    expect([openHandles(), liveTexts()]).toEqual([0, 0]);
  });

  it('gives text back to ole32, where it came from', async () => {
    const real = await openKoffiHcn({ network: dll, memory: 'ole32.dll' });
    await real.createNetwork(id, { Name: 'x'.repeat(100_000) });
    for (let times = 0; times < 200; times++) expect(await real.query('network', id)).toHaveProperty('Name');
  });

  it('of a library that is not there is an error with a code', async () => {
    const missing = openKoffiHcn({ network: 'no-such-library.dll', memory: 'ole32.dll' });
    await expect(missing).rejects.toMatchObject({ code: 'backend.hcn-unavailable' });
  });
});

describe('the NAT provider on it', () => {
  const provider = (): HcnNetworks =>
    new HcnNetworks({
      openApi: () => openKoffiHcn({ network: dll, memory: dll }),
      agentId: 'agt_lane',
      directory: join(home, 'networks'),
      randomUUID,
      dnsServers: ['9.9.9.9'],
    });

  it('makes network, namespace and endpoint for a run, in order, and takes all but the network down', async () => {
    const run = await provider().connect('run-1');
    expect(names().filter((name) => /Create|Modify/.test(name))).toEqual([
      'HcnCreateNetwork',
      'HcnCreateNamespace',
      'HcnCreateEndpoint',
      'HcnModifyNamespace',
    ]);
    expect(await hcn.enumerate('namespace')).toEqual([run.namespace]);
    await run.release();
    expect([await hcn.enumerate('namespace'), await hcn.enumerate('endpoint')]).toEqual([[], []]);
    expect(readdirSync(join(home, 'networks'))).toEqual([]);
    expect([openHandles(), liveTexts()]).toEqual([0, 0]);
  });

  it('finds after a crash what the last life had made', async () => {
    await provider().connect('run-2');
    expect(await provider().reconcile()).toBeGreaterThan(0);
    expect([await hcn.enumerate('namespace'), await hcn.enumerate('endpoint')]).toEqual([[], []]);
  });

  it('explains a refusal, and leaves nothing', async () => {
    plan('HcnModifyNamespace', 0x803b002e | 0, 'attach failed', 0);
    await expect(provider().connect('run-3')).rejects.toMatchObject({ code: 'backend.hcn-attach-failed' });
    expect([await hcn.enumerate('namespace'), await hcn.enumerate('endpoint')]).toEqual([[], []]);
  });
});
