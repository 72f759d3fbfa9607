import type { ApplyOptions, TreeEntry, WorkingSnapshot } from '@loam/backend';
import { cancelled, isLoamError } from '@loam/base';
import type { Containerd, Mount } from '@loam/containerd';

import { ociLayer } from '../fetcher/media-types.ts';
import type { PlatformDriver } from '../platform-driver.ts';
import { writeTar } from '../tar/tar-writer.ts';

export interface ApplyLayer {
  readonly client: Containerd;
  readonly driver: PlatformDriver;
  readonly working: WorkingSnapshot;
  readonly mounts: readonly Mount[];
  readonly entries: AsyncIterable<TreeEntry>;
  readonly options: ApplyOptions;
  readonly unique: string;
}

/**
 * Puts a layer onto a working snapshot: directly where the platform can, else as a tar that goes through the content store
 * and is unpacked by containerd, as an image's layer would be. The tar is deleted afterwards; after a failure the collector
 * takes what the lease held.
 */
export async function applyLayer(apply: ApplyLayer): Promise<void> {
  const { client, driver, working, mounts, options } = apply;
  const { signal, onProgress } = options;
  if (signal?.aborted) throw cancelled();
  if (driver.writeLayer !== undefined) {
    await driver.writeLayer(mounts, { entries: apply.entries, signal, onProgress });
    return;
  }
  const call = { lease: working.lease.id, signal };
  const source = (): AsyncIterable<Uint8Array> => writeTar(driver.layerItems(watched(apply.entries, options)));
  const ref = `loam-apply-${apply.unique}`;
  let blob;
  try {
    blob = await client.content.writeBlob({ ref, source }, call);
  } catch (error) {
    await client.content.abort(ref).catch(() => undefined);
    throw error;
  }
  await client.diff.apply({ mediaType: ociLayer, digest: blob.digest, size: blob.size }, mounts, call);
  if (blob.existed) return;
  // A second apply of the same bytes at this moment would lose its blob too; its lease protects it from the collector only.
  await client.leases.deleteResource(working.lease.id, { id: blob.digest, type: 'content' }).catch((error: unknown) => {
    if (!isLoamError(error, 'containerd.not-found')) throw error;
  });
}

/** The same entries, until the signal aborts, with their content counted. */
async function* watched(entries: AsyncIterable<TreeEntry>, options: ApplyOptions): AsyncIterable<TreeEntry> {
  const { signal, onProgress } = options;
  let bytes = 0;
  async function* count(content: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    for await (const chunk of content) {
      if (signal?.aborted) throw cancelled();
      bytes += chunk.length;
      onProgress?.(bytes);
      yield chunk;
    }
  }
  for await (const entry of entries) {
    if (signal?.aborted) throw cancelled();
    yield entry.kind === 'file' ? { ...entry, open: () => count(entry.open()) } : entry;
  }
}
