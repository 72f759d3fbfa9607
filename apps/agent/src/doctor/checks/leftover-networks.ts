import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { endpointPrefix, namespacePrefix } from '@loam/backend-containerd';
import { isLoamError } from '@loam/base';

import { defineCheck } from '../check.ts';
import type { DoctorHost } from '../doctor-host.ts';
import { judgeLeaks, removeEverything, twice, type LeakFacts } from './leaks.ts';

/**
 * Endpoints of ours that no run owns, and runs whose namespaces were never deleted: their GUIDs are on disk before they are
 * used (reference §6.4). On Linux network namespaces by name.
 */
export const leftoverNetworks = defineCheck<LeakFacts>({
  id: 'leaks.networks',
  title: 'Left-over networks of steps',
  gather: (host) => twice(host, () => (host.os === 'windows' ? onWindows(host) : onLinux(host))),
  judge: (facts) =>
    judgeLeaks(facts, {
      what: 'network namespaces and endpoints',
      cost: 'They hold addresses of the NAT network, which has only so many.',
    }),
  async repair(host) {
    const removed = await removeEverything(host);
    // What no record leads to any more: nothing else would ever find it.
    const lost = host.os === 'linux' ? await onLinux(host) : [];
    for (const line of lost) {
      const name = line.replace('namespace ', '');
      const { code, stderr } = await host.run('ip', ['netns', 'delete', name]);
      if (code !== 0) throw new Error(`ip netns delete ${name}: ${stderr.trim() || `exit code ${code}`}`);
    }
    return lost.length === 0 ? removed : `${removed} Removed ${lost.length} network namespaces without a record.`;
  },
});

async function onLinux({ identity }: DoctorHost): Promise<string[]> {
  if (identity === undefined) return [];
  const names = await readdir('/run/netns').catch(() => []);
  return names.filter((name) => name.startsWith(namespacePrefix(identity))).map((name) => `namespace ${name}`);
}

async function onWindows(host: DoctorHost): Promise<string[]> {
  const { identity, stateDirectory } = host;
  if (identity === undefined) return [];
  const places = ['networks', 'cni'].map((name) => join(stateDirectory, 'backend', name));
  const runs = (await Promise.all(places.map((place) => readdir(place).catch(() => [])))).flat();
  const records = runs.map((run) => `namespace of run ${run.replace(/\.new$/, '')}`);
  try {
    return [...records, ...(await endpointNames(host, endpointPrefix(identity)))];
  } catch (error) {
    // A host without the service has none; network.nat says so.
    if (isLoamError(error, 'backend.hcn-unavailable')) return records;
    throw error;
  }
}

async function endpointNames(host: DoctorHost, prefix: string): Promise<string[]> {
  const api = await host.hcn();
  const found = await Promise.all(
    // One may go between the two calls.
    (await api.enumerate('endpoint')).map((id) => api.query('endpoint', id).catch(() => ({}))),
  );
  const names = found.map((properties) => (properties as { Name?: string }).Name ?? '');
  return names.filter((name) => name.startsWith(prefix)).map((name) => `endpoint ${name}`);
}
