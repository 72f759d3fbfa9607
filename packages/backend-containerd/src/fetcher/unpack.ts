import { cancelled, isLoamError, LoamError, type Digest } from '@loam/base';
import type { Containerd, SnapshotsApi } from '@loam/containerd';

import { labels } from '../labels.ts';
import type { PlatformDriver } from '../platform-driver.ts';
import type { Descriptor } from './manifest.ts';

export interface Unpack {
  readonly client: Containerd;
  readonly driver: PlatformDriver;
  readonly agentId: string;
  readonly randomUUID: () => string;
  readonly lease: string;
  readonly signal: AbortSignal;
}

export interface LayerUnpack {
  readonly reference: string;
  readonly layer: Descriptor;
  readonly diffId: Digest;
  readonly chainId: Digest;
  readonly parent: Digest | undefined;
  /** Of the image; Windows only. */
  readonly osVersion: string | undefined;
}

/** Whether a layer, with everything below it, is unpacked already. */
export async function isUnpacked(snapshots: SnapshotsApi, chainId: Digest): Promise<boolean> {
  try {
    return (await snapshots.stat(chainId)).kind === 'committed';
  } catch (error) {
    if (isLoamError(error, 'containerd.not-found')) return false;
    throw error;
  }
}

/**
 * Unpacks one layer onto those below it and commits it under its chain id. That somebody else has just done the same is a
 * success. Source: OCI image-spec config.md; reference §2.6.
 */
export async function unpackLayer(context: Unpack, item: LayerUnpack): Promise<void> {
  const { client, driver, lease, signal, agentId } = context;
  const snapshots = client.snapshots(driver.snapshotter);
  const key = driver.workingKey('layer', context.randomUUID());
  if (signal.aborted) throw cancelled();
  // Not given the signal: a call that is given up may have been carried out, and nobody would know of the snapshot.
  const mounts = await snapshots.prepare(
    { key, parent: item.parent ?? '', labels: { [labels.agent]: agentId, ...driver.snapshotLabels('layer') } },
    { lease },
  );
  try {
    const { mediaType, digest, size } = item.layer;
    const applied = await client.diff.apply({ mediaType, digest, size }, mounts, { lease, signal });
    if (applied.digest !== item.diffId) {
      throw LoamError.of('backend.digest-mismatch', { reference: item.reference });
    }
    const { osVersion } = item;
    const kept = { [labels.agent]: agentId, ...(osVersion === undefined ? {} : { [labels.osVersion]: osVersion }) };
    await driver.whileCommitting(() => snapshots.commit({ name: item.chainId, key, labels: kept }, { lease }));
  } catch (error) {
    await snapshots.remove(key).catch(() => undefined);
    if (!isLoamError(error, 'containerd.already-exists')) throw error;
  }
}
