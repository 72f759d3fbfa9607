import { cancelled, isLoamError, LoamError, sleep, type Clock } from '@loam/base';
import type { Containerd } from '@loam/containerd';

import type { Descriptor } from './manifest.ts';
import type { ImageReference } from './reference.ts';
import { unreachable, type RegistryClient } from './registry-client.ts';

export interface Download {
  readonly client: Containerd;
  readonly registry: RegistryClient;
  readonly clock: Clock;
  readonly reference: ImageReference;
  readonly layer: Descriptor;
  readonly signal: AbortSignal;
  /** Bytes of this layer that are stored now. */
  readonly onProgress: (bytes: number) => void;
}

const retryDelaysMs = [50, 200, 1000, 3000];

/**
 * Downloads a layer into the content store. A connection that drops is taken up again where it stopped, here and in later
 * calls: what was stored stays under the layer's name until it is complete. Throws `backend.registry-unreachable` when it
 * keeps dropping, `backend.digest-mismatch` when the bytes are wrong: then they are thrown away.
 * Written without a lease, because an unfinished download must outlive that of this attempt; whoever wants the layer adds
 * its digest to a lease first.
 */
export async function downloadLayer(download: Download): Promise<void> {
  const { client, layer, reference, signal } = download;
  let resumed = false;
  for (let attempt = 0; ; attempt++) {
    let start = 0;
    try {
      await client.content.writeBlob(
        {
          ref: `layer-${layer.digest}`,
          expected: layer.digest,
          total: layer.size,
          source: (offset) => {
            start = offset;
            return body(download, offset);
          },
          onProgress: download.onProgress,
        },
        { signal },
      );
      download.onProgress(layer.size);
      return;
    } catch (error) {
      if (signal.aborted) throw cancelled();
      if (isLoamError(error, 'containerd.failed-precondition')) {
        // The first part may have come from somewhere else than the rest: once more, from the beginning.
        if (start > 0 && !resumed) {
          resumed = true;
          continue;
        }
        throw LoamError.of('backend.digest-mismatch', { reference: reference.name }, { cause: error });
      }
      if (isLoamError(error)) throw error;
      const delayMs = retryDelaysMs[attempt];
      if (delayMs === undefined) throw unreachable(reference.host, error, 'the connection drops again and again');
      await sleep(download.clock, delayMs, signal).catch(() => {
        throw cancelled();
      });
    }
  }
}

/** The layer's bytes from `offset` on, never more than it has. */
async function* body({ registry, reference, layer, signal }: Download, offset: number): AsyncIterable<Uint8Array> {
  if (offset >= layer.size) return;
  const stream = await registry.openBlob(reference, layer, offset, signal);
  if (stream.offset > offset) throw new Error('the registry sent another range than it was asked for');
  let skip = offset - stream.offset;
  let left = layer.size - offset;
  for await (const chunk of stream.body) {
    const part = chunk.subarray(Math.min(skip, chunk.length));
    skip -= chunk.length - part.length;
    if (part.length === 0) continue;
    if (part.length > left) throw LoamError.of('backend.digest-mismatch', { reference: reference.name });
    left -= part.length;
    yield part;
  }
  // Committing less than there is would throw away what was stored.
  if (left > 0) throw new Error('the connection ended early');
}
