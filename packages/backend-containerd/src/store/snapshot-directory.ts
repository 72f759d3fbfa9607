import { randomUUID } from 'node:crypto';
import { dirname, win32 } from 'node:path';

import { isLoamError, systemClock, type Clock } from '@loam/base';
import type { Containerd } from '@loam/containerd';

const lookMs = 60_000;

/**
 * Where a snapshotter keeps its data: what it exports, or for Windows' that exports nothing the directory of any snapshot's
 * mount (reference §1.4). The snapshot that is made for that is removed at once, or by the collector should this process not
 * come to that: the lease that protects it has an end, and neither carries an agent's label.
 */
export async function snapshotDirectory(
  client: Containerd,
  snapshotter: string,
  clock: Clock = systemClock,
): Promise<string> {
  const [plugin] = await client.plugins([`type==io.containerd.snapshotter.v1,id==${snapshotter}`]);
  const root = plugin?.exports['root'];
  if (root !== undefined) return root;
  const key = `loam-extract-look-${randomUUID()}`;
  const snapshots = client.snapshots(snapshotter);
  await client.leases.create({ id: key, expiresAt: new Date(clock.now() + lookMs) });
  try {
    const [mount] = await snapshots.prepare({ key }, { lease: key });
    await orGone(snapshots.remove(key));
    if (mount === undefined) throw new Error(`${snapshotter} does not tell where it keeps its data`);
    return mount.source.includes('\\') ? win32.dirname(mount.source) : dirname(mount.source);
  } finally {
    await orGone(client.leases.delete(key));
  }
}

async function orGone(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isLoamError(error, 'containerd.not-found')) throw error;
  }
}
