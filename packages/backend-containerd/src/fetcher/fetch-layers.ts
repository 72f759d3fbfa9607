import type { FetchProgress } from '@loam/backend';
import { isLoamError, LoamError, type Clock, type Digest } from '@loam/base';
import type { Containerd } from '@loam/containerd';

import type { PlatformDriver } from '../platform-driver.ts';
import type { SharedWork } from '../shared-work.ts';
import { downloadLayer } from './download.ts';
import type { LoadedImage } from './image-content.ts';
import type { ImageReference } from './reference.ts';
import type { RegistryClient } from './registry-client.ts';
import { isUnpacked, unpackLayer } from './unpack.ts';

export interface FetchLayers {
  readonly client: Containerd;
  readonly driver: PlatformDriver;
  readonly registry: RegistryClient;
  readonly clock: Clock;
  readonly randomUUID: () => string;
  readonly agentId: string;
  readonly reference: ImageReference;
  readonly image: LoadedImage;
  readonly chain: readonly Digest[];
  readonly lease: string;
  readonly downloads: SharedWork<void, number>;
  readonly signal: AbortSignal;
  readonly report: (progress: FetchProgress) => void;
}

const maxDownloads = 3;

/**
 * Downloads what is missing of an image, a few layers at a time, and unpacks each layer as soon as it and those below it are
 * there. When one fails the others are stopped; what they have stored stays for the next try.
 */
export async function fetchLayers(fetch: FetchLayers): Promise<void> {
  const { client, driver, image, chain, report, reference, lease } = fetch;
  const snapshots = client.snapshots(driver.snapshotter);
  const unpacked = await countUnpacked(chain, (id) => isUnpacked(snapshots, id));
  const wanted = [...new Map(image.layers.slice(unpacked).map((layer) => [layer.digest, layer])).values()];
  const totalBytes = wanted.reduce((sum, layer) => sum + layer.size, 0);
  const stored = new Map<string, number>();
  const currentBytes = (): number => [...stored.values()].reduce((sum, bytes) => sum + bytes, 0);

  const failed = new AbortController();
  const signal = AbortSignal.any([fetch.signal, failed.signal]);
  const takeTurn = limit(maxDownloads);
  const downloads = new Map(
    wanted.map((layer) => {
      const onProgress = (bytes: number): void => {
        stored.set(layer.digest, bytes);
        report({ phase: 'downloading', layer: layer.digest, currentBytes: currentBytes(), totalBytes });
      };
      const done = takeTurn(async () => {
        await client.leases.addResource(lease, { id: layer.digest, type: 'content' });
        // Another image that is fetched at this moment may have the same layer.
        await fetch.downloads.run(layer.digest, signal, onProgress, (shared, progress) =>
          downloadLayer({ ...fetch, layer, signal: shared, onProgress: progress }),
        );
      });
      done.catch(() => failed.abort());
      return [layer.digest, done];
    }),
  );
  const { osVersion } = image.config.platform;
  try {
    for (let index = unpacked; index < chain.length; index++) {
      const layer = image.layers[index];
      const chainId = chain[index];
      const diffId = image.config.diffIds[index];
      if (layer === undefined || chainId === undefined || diffId === undefined) break;
      await downloads.get(layer.digest);
      report({ phase: 'unpacking', layer: layer.digest, currentBytes: currentBytes(), totalBytes });
      const item = { reference: reference.name, layer, diffId, chainId, parent: chain[index - 1], osVersion };
      await unpackLayer({ ...fetch, signal }, item);
    }
  } catch (error) {
    failed.abort();
    const outcomes = await Promise.allSettled(downloads.values());
    throw firstCause(error, outcomes);
  }
}

/** How many layers, from the bottom, need neither download nor unpacking. From the top down: one that is there has all below it. */
async function countUnpacked(chain: readonly Digest[], isThere: (id: Digest) => Promise<boolean>): Promise<number> {
  for (let count = chain.length; count > 0; count--) {
    const id = chain[count - 1];
    if (id !== undefined && (await isThere(id))) return count;
  }
  return 0;
}

/** When one download fails, the ones that it stops fail as cancelled: the cause is the one that does not. */
function firstCause(error: unknown, outcomes: readonly PromiseSettledResult<void>[]): unknown {
  const isCancel = (reason: unknown): boolean =>
    !(reason instanceof LoamError) || isLoamError(reason, 'general.cancelled');
  if (!isCancel(error)) return error;
  const reasons = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
  return reasons.find((reason) => !isCancel(reason)) ?? error;
}

/** Runs at most `max` pieces of work at a time, in the order of asking. */
function limit(max: number): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (running >= max) await new Promise<void>((resolve) => waiting.push(resolve));
    running++;
    try {
      return await work();
    } finally {
      running--;
      waiting.shift()?.();
    }
  };
}
