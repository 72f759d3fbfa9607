import type { ReconcileReport } from '@loam/backend';
import { isLoamError } from '@loam/base';
import type { Containerd, SnapshotsApi } from '@loam/containerd';

import { ownedBy } from '../labels.ts';
import type { PlatformDriver } from '../platform-driver.ts';

const sigKill = 9;

/**
 * Removes what an earlier life of this agent left in containerd and on the host: everything unfinished that carries its
 * label, and nothing else. The order matters: what runs, what it stands on, what protects it, and then the collector.
 */
export async function reconcile(context: {
  client: Containerd;
  driver: PlatformDriver;
  snapshots: SnapshotsApi;
  agentId: string;
}): Promise<ReconcileReport> {
  const { client, driver, snapshots, agentId } = context;
  const ours = [ownedBy(agentId)];
  const containers = await client.containers.list(ours);
  let tasks = 0;
  for (const { id } of containers) {
    if (await endTask(client, id)) tasks++;
    await orGone(client.containers.delete(id));
  }
  const host = await driver.reconcile();
  // Asked for by kind: of the committed ones there may be thousands.
  const unfinished = await snapshots.list(['active', 'view'].map((kind) => `kind==${kind},${ownedBy(agentId)}`));
  for (const { name } of unfinished) await orGone(snapshots.remove(name));
  const leases = await client.leases.list(ours);
  for (const [index, { id }] of leases.entries()) {
    // The last one takes the collector along, so that the disk is free when the agent begins to work.
    await orGone(client.leases.delete(id, { sync: index === leases.length - 1 }));
  }
  return {
    tasks,
    containers: containers.length,
    // Views are counted by their mounts.
    workingSnapshots: unfinished.filter(({ kind }) => kind === 'active').length,
    leases: leases.length,
    mounts: host.mounts,
    networks: host.networks,
  };
}

/** Kills a task and waits until it is gone. False when there was none. */
async function endTask(client: Containerd, id: string): Promise<boolean> {
  try {
    await client.tasks.get(id);
  } catch (error) {
    if (isLoamError(error, 'containerd.not-found')) return false;
    throw error;
  }
  const exit = client.tasks.wait(id).catch(() => undefined);
  await orGone(client.tasks.kill(id, sigKill, { all: true }));
  await exit;
  await orGone(client.tasks.delete(id));
  return true;
}

async function orGone(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    // failed-precondition from kill: the process has ended already.
    if (!isLoamError(error, 'containerd.not-found', 'containerd.failed-precondition')) throw error;
  }
}
