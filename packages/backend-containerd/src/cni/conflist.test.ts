import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { CniNetworks, type NamespaceMaker } from './cni-networks.ts';
import { CniFailure, Conflist, pluginsIn, type RunPlugin } from './conflist.ts';

let directory: string;
let calls: string[];
let fails: string | undefined;

const run: RunPlugin = (type, environment, input) => {
  const { prevResult, name } = JSON.parse(input) as { prevResult?: { by: string }; name: string };
  const call = `${environment['CNI_COMMAND']} ${type}`;
  calls.push(`${call} ${name} ${environment['CNI_NETNS']} ${prevResult?.by ?? '-'}`);
  if (call === fails) return Promise.reject(new CniFailure(type, 'ADD', 'no room'));
  return Promise.resolve(environment['CNI_COMMAND'] === 'ADD' ? JSON.stringify({ by: type }) : '');
};
const namespaces: NamespaceMaker = {
  place: (runId) => `/ns/${runId}`,
  make: (runId) => Promise.resolve(void calls.push(`make ${runId}`)),
  remove: (runId) => Promise.resolve(void calls.push(`remove ${runId}`)),
};
const document = { cniVersion: '1.0.0', name: 'net', plugins: [{ type: 'bridge' }, { type: 'firewall' }] };
const networks = (): CniNetworks =>
  new CniNetworks({ conflist: new Conflist(document, run), namespaces, directory: join(directory, 'n') });

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'loam-cni-'));
  calls = [];
  fails = undefined;
});
afterEach(() => rm(directory, { recursive: true }));

describe('a chain of CNI plugins', () => {
  it('is added in order and deleted in reverse, each plugin seeing the last result', async () => {
    const network = await networks().connect('r');
    expect(network.namespace).toBe('/ns/r');
    await network.release();
    await network.release();
    expect(calls).toEqual([
      'make r',
      'ADD bridge net /ns/r -',
      'ADD firewall net /ns/r bridge',
      'DEL firewall net /ns/r firewall',
      'DEL bridge net /ns/r firewall',
      'remove r',
    ]);
    expect(await readdir(join(directory, 'n'))).toEqual([]);
  });

  it.each(['', '{"by":"fire'])('is undone although its record was torn by a crash: %s', async (torn) => {
    await networks().connect('r');
    await writeFile(join(directory, 'n', 'r'), torn);
    expect(await networks().reconcile()).toBe(1);
    expect(calls.slice(3)).toEqual(['DEL firewall net /ns/r -', 'DEL bridge net /ns/r -', 'remove r']);
  });

  it('that cannot be undone keeps its record, and does not keep others from being undone', async () => {
    for (const runId of ['a', 'b']) await networks().connect(runId);
    fails = 'DEL bridge';
    expect(await networks().reconcile()).toBe(0);
    expect(await networks().list()).toEqual(['a', 'b']);
    fails = undefined;
    expect(await networks().reconcile()).toBe(2);
  });

  it('that failed in the middle is deleted whole', async () => {
    fails = 'ADD firewall';
    await expect(networks().connect('r')).rejects.toMatchObject({
      code: 'backend.cni-failed',
      internal: 'firewall ADD: no room',
    });
    expect(calls.slice(3)).toEqual(['DEL firewall net /ns/r -', 'DEL bridge net /ns/r -', 'remove r']);
    expect(await networks().list()).toEqual([]);
  });

  it('of a run that a crash left is deleted by the next life', async () => {
    await networks().connect('r');
    calls = [];
    expect(await networks().list()).toEqual(['r']);
    expect(await networks().reconcile()).toBe(1);
    expect(calls).toEqual(['DEL firewall net /ns/r firewall', 'DEL bridge net /ns/r firewall', 'remove r']);
    expect(await networks().list()).toEqual([]);
  });

  it('whose programs are missing fails with their name', async () => {
    const chain = new Conflist(document, pluginsIn(directory));
    const attachment = { containerId: 'r', namespace: '/ns/r', interfaceName: 'eth0' };
    await expect(chain.add(attachment)).rejects.toThrow(/^bridge ADD: spawn .* ENOENT$/);
  });
});
