import { readFile } from 'node:fs/promises';

import type { Containerd } from '@loam/containerd';

import { ownedBy } from './labels.ts';
import { parseMountInfo } from './runc/mount-info.ts';

/**
 * What of an agent's is unfinished now: a line for each task, container, working snapshot or view, lease, and mount below its
 * state directory. For leak checks; an agent that does nothing has none.
 */
export async function findLeftovers(client: Containerd, agentId: string, stateDirectory: string): Promise<string[]> {
  const ours = [ownedBy(agentId)];
  const [containers, tasks, leases, mounts] = await Promise.all([
    client.containers.list(ours),
    client.tasks.list(),
    client.leases.list(ours),
    mountsBelow(stateDirectory),
  ]);
  const ids = new Set(containers.map(({ id }) => id));
  const snapshotters = await client.plugins(['type==io.containerd.snapshotter.v1']);
  const snapshots = await Promise.all(
    snapshotters.filter(({ initError }) => initError === undefined).map(({ id }) => client.snapshots(id).list(ours)),
  );
  return [
    ...tasks.filter(({ containerId }) => ids.has(containerId)).map(({ containerId }) => `task ${containerId}`),
    ...containers.map(({ id }) => `container ${id}`),
    ...snapshots
      .flat()
      .filter(({ kind }) => kind !== 'committed')
      .map(({ kind, name }) => `${kind} snapshot ${name}`),
    ...leases.map(({ id }) => `lease ${id}`),
    ...mounts.map((point) => `mount ${point}`),
  ];
}

/** Throws an error that lists what is left. */
export async function assertNothingLeft(client: Containerd, agentId: string, stateDirectory: string): Promise<void> {
  const left = await findLeftovers(client, agentId, stateDirectory);
  if (left.length > 0) throw new Error(`left behind:\n${left.join('\n')}`);
}

async function mountsBelow(directory: string): Promise<string[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  return parseMountInfo(text)
    .map(({ mountPoint }) => mountPoint)
    .filter((point) => point.startsWith(`${directory}/`));
}
