import type { ReconcileReport } from '@loam/backend';
import { isLoamError, type Clock } from '@loam/base';
import type { Containerd, SnapshotsApi } from '@loam/containerd';

import { ownedBy } from '../labels.ts';
import type { PlatformDriver } from '../platform-driver.ts';
import { Termination } from '../sandbox/termination.ts';

/**
 * Removes what an earlier life of this agent left in containerd and on the host: everything unfinished that carries its
 * label, and nothing else. The order matters: what runs, what it stands on, what protects it, and then the collector.
 * Throws `backend.will-not-die` when what runs cannot be ended.
 */
export async function reconcile(context: {
  client: Containerd;
  driver: PlatformDriver;
  snapshots: SnapshotsApi;
  agentId: string;
  clock: Clock;
}): Promise<ReconcileReport> {
  const { client, driver, snapshots, agentId, clock } = context;
  const ours = [ownedBy(agentId)];
  const containers = await client.containers.list(ours);
  const endDrain = await driver.drainOutput?.();
  let tasks = 0;
  try {
    for (const { id } of containers) {
      if (await endTask(client, driver, clock, id)) tasks++;
      await orGone(client.containers.delete(id));
    }
  } finally {
    endDrain?.();
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
async function endTask(client: Containerd, driver: PlatformDriver, clock: Clock, id: string): Promise<boolean> {
  try {
    await client.tasks.get(id);
  } catch (error) {
    if (isLoamError(error, 'containerd.not-found')) return false;
    throw error;
  }
  const { killTimeoutMs } = driver.patience;
  const { lastResort } = driver;
  const termination = new Termination({ client, clock, id, killTimeoutMs, lastResort });
  try {
    termination.watch();
    await termination.ensureDead();
  } finally {
    termination.end();
  }
  await orGone(client.tasks.delete(id));
  return true;
}

async function orGone(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isLoamError(error, 'containerd.not-found', 'containerd.failed-precondition')) throw error;
  }
}
