import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { findLeftovers, snapshotDirectory, type HcnApi } from '@loam/backend-containerd';
import { systemClock } from '@loam/base';
import type { DoctorReport, Finding } from '@loam/contracts';
import type { ContainerdModelOptions } from '@loam/containerd-model';
import { afterEach, expect, it } from 'vitest';

import { hostVersion, importWindowsImage, openWindowsModel, type WindowsModel } from '../testing/windows-model.ts';
import { allChecks } from './checks/all-checks.ts';
import type { CommandOutput, DoctorHost } from './doctor-host.ts';
import { examine } from './examine.ts';
import { repair } from './repair.ts';
import { scriptedHost } from './testing/scripted-host.ts';

// The doctor on a model of Windows containerd, a scripted network service and recorded answers of programs. Not Windows.
let model: WindowsModel;
afterEach(() => model.close());

class ScriptedHcn implements Pick<HcnApi, 'enumerate' | 'query' | 'createNetwork'> {
  readonly networks = new Map<string, object>();
  readonly endpoints = new Map<string, object>();
  enumerate = async (kind: string): Promise<string[]> => [...this.#of(kind).keys()];
  query = async (kind: string, id: string): Promise<object> => this.#of(kind).get(id) ?? {};
  createNetwork = async (id: string, settings: object): Promise<void> => void this.networks.set(id, settings);
  #of = (kind: string): Map<string, object> => (kind === 'network' ? this.networks : this.endpoints);
}

const recorded: Record<string, CommandOutput> = {
  'reg.exe': { code: 0, stdout: '    LongPathsEnabled    REG_DWORD    0x1\r\n', stderr: '' },
  'sc.exe': { code: 0, stdout: '        STATE              : 4  RUNNING \r\n', stderr: '' },
  'powershell.exe': { code: 0, stdout: '{"realTime":true,"paths":["C:\\\\elsewhere"],"processes":[]}', stderr: '' },
};

async function open(options: Partial<ContainerdModelOptions> = {}): Promise<{ host: DoctorHost; hcn: ScriptedHcn }> {
  model = await openWindowsModel(options);
  const hcn = new ScriptedHcn();
  const { client, agentId, stateDirectory, backend } = model;
  await mkdir(stateDirectory, { recursive: true });
  const host = scriptedHost({
    osVersion: hostVersion,
    stateDirectory,
    identity: agentId,
    clock: systemClock,
    containerd: () => Promise.resolve(client),
    leftovers: () => findLeftovers(client, agentId, stateDirectory),
    snapshotDirectory: () => snapshotDirectory(client, 'windows'),
    hcn: () => Promise.resolve(hcn as unknown as HcnApi),
    run: (program) => Promise.resolve(recorded[program] ?? { code: 1, stdout: '', stderr: '' }),
    reconcile: () => backend.store.reconcile(),
  });
  return { host, hcn };
}

const look = (host: DoctorHost): Promise<DoctorReport> =>
  examine(host, { checks: allChecks, version: '0', platform: 'windows/amd64' });
const statusOf = (report: DoctorReport, id: string): Finding['status'] | undefined =>
  report.findings.find((finding) => finding.id === id)?.status;

it('looks at everything that Windows has', async () => {
  const { host } = await open();
  await importWindowsImage(model, 'example.org/nano:1', '10.0.20348.1');
  const report = await look(host);
  const expected: Record<string, Finding['status']> = {
    'windows.build': 'ok',
    'windows.services': 'ok',
    'windows.long-paths': 'ok',
    'windows.defender': 'warning',
    'containerd.reachable': 'ok',
    'containerd.snapshotter': 'ok',
    'containerd.namespace': 'ok',
    'network.nat': 'warning',
    'network.cni': 'skipped',
    'images.host-build': 'ok',
    'leaks.containers': 'ok',
    'leaks.snapshots': 'ok',
    'leaks.leases': 'ok',
    'leaks.layers': 'ok',
    'leaks.networks': 'ok',
    'agent.service': 'ok',
  };
  for (const [id, status] of Object.entries(expected)) expect([id, statusOf(report, id)]).toEqual([id, status]);
  expect(report.findings.some(({ id }) => id.startsWith('linux.'))).toBe(false);
});

it('an old containerd and a snapshotter on ReFS are problems (§1.14, §3.1)', async () => {
  const { host } = await open({
    version: 'v1.7.6',
    snapshotterInitError: 'D:\\ is not on an NTFS volume - only NTFS volumes are supported',
  });
  const report = await look(host);
  expect([statusOf(report, 'containerd.reachable'), statusOf(report, 'containerd.snapshotter')]).toEqual([
    'problem',
    'problem',
  ]);
});

it('planted leaks are seen, and put right but for those that only an operator may touch (§2.3, §3.2, §6.4)', async () => {
  const { host, hcn } = await open();
  const { client, agentId, stateDirectory } = model;
  const labels = { 'loam.agent': agentId };
  const foreign = { 'loam.agent': 'agt_other' };
  await client.leases.create({ id: 'planted', labels });
  await client.leases.create({ id: 'foreign', labels: foreign });
  await client.snapshots('windows').prepare({ key: 'extract-planted', labels }, { lease: 'planted' });
  await client.snapshots('windows').prepare({ key: 'extract-foreign', labels: foreign }, { lease: 'foreign' });
  await client.containers.create({ id: 'planted', labels, runtime: { name: 'io.containerd.runhcs.v1' }, spec: {} });
  const records = join(stateDirectory, 'backend', 'networks');
  await mkdir(join(records, 'run-1'), { recursive: true });
  hcn.endpoints.set('e1', { Name: 'another-endpoint' });
  await mkdir(join(await host.snapshotDirectory(), 'rm-700'));

  const before = await look(host);
  for (const id of ['containers', 'snapshots', 'leases', 'networks', 'layers']) {
    expect([id, statusOf(before, `leaks.${id}`)]).toEqual([id, 'warning']);
  }
  expect(JSON.stringify(before)).not.toMatch(/foreign|another-endpoint/);
  const repairs = await repair(host, before, allChecks);
  expect(repairs.map(({ id, ok }) => `${id} ${ok}`)).toEqual(
    expect.arrayContaining(['leaks.containers true', 'network.nat true']),
  );
  expect(repairs.some(({ id }) => id === 'leaks.layers')).toBe(false);

  const after = await look(host);
  for (const id of ['leaks.containers', 'leaks.snapshots', 'leaks.leases', 'network.nat']) {
    expect([id, statusOf(after, id)]).toEqual([id, 'ok']);
  }
  expect([...hcn.networks.values()]).toMatchObject([{ Name: 'nat', Type: 'NAT' }]);
  expect((await client.leases.list()).map(({ id }) => id)).toEqual(['foreign']);
  expect((await client.snapshots('windows').stat('extract-foreign')).kind).toBe('active');
});

it('images that do not fit the host any more are named (§7.3)', async () => {
  const { host } = await open();
  await importWindowsImage(model, 'example.org/old:1', '10.0.17763.1');
  const { findings } = await look(host);
  expect(findings.find(({ id }) => id === 'images.host-build')).toMatchObject({
    status: 'warning',
    evidence: expect.stringContaining('example.org/old:1 (10.0.17763.1)'),
  });
});
