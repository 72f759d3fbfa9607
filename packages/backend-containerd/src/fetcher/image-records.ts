import { formatPlatform, type Platform } from '@loam/backend';
import { isLoamError, type Clock, type Digest } from '@loam/base';
import type { Containerd, Descriptor, Image } from '@loam/containerd';

import { labels, ownedBy } from '../labels.ts';
import { sha256 } from './chain-id.ts';

/** What is known of an image by a name: which manifest it was, and when that was looked up. */
export interface RememberedImage {
  readonly target: Descriptor;
  readonly resolvedAtMs: number;
  /** It came from an archive, so no registry can be asked for it. */
  readonly imported: boolean;
}

/**
 * Image records of ours in containerd. A record under `${recordPrefix}ref/…` remembers to which manifest a name led on a
 * platform; one under `${recordPrefix}base/…` keeps an unpacked image from being collected. Both are roots: what they point to
 * stays, the snapshot included, as long as they are there.
 */
export class ImageRecords {
  readonly #client: Containerd;
  readonly #agentId: string;
  readonly #clock: Clock;

  constructor(client: Containerd, agentId: string, clock: Clock) {
    this.#client = client;
    this.#agentId = agentId;
    this.#clock = clock;
  }

  async recall(name: string, platform: Platform): Promise<RememberedImage | undefined> {
    let image: Image;
    try {
      image = await this.#client.images.get(referenceRecord(name, platform));
    } catch (error) {
      if (isLoamError(error, 'containerd.not-found')) return undefined;
      throw error;
    }
    if (image.labels[labels.agent] !== this.#agentId) return undefined;
    return {
      target: image.target,
      resolvedAtMs: Number(image.labels[labels.resolvedAt] ?? 0),
      imported: image.labels[labels.imported] === 'true',
    };
  }

  /** Remembers where a name led. Returns the time that it was remembered with. */
  async remember(name: string, platform: Platform, target: Descriptor, imported: boolean): Promise<number> {
    const resolvedAtMs = this.#clock.now();
    await this.#client.images.put({
      name: referenceRecord(name, platform),
      target,
      labels: {
        [labels.agent]: this.#agentId,
        [labels.reference]: name,
        [labels.platform]: formatPlatform(platform),
        [labels.resolvedAt]: String(resolvedAtMs),
        ...(imported ? { [labels.imported]: 'true' } : {}),
      },
    });
    return resolvedAtMs;
  }

  /** Every image that one of our records stands for, each manifest once. */
  async list(): Promise<{ readonly name: string; readonly target: Descriptor }[]> {
    const byDigest = new Map<string, { name: string; target: Descriptor }>();
    for (const { name: record, target, labels: found } of await this.#client.images.list([ownedBy(this.#agentId)])) {
      if (!record.startsWith(recordPrefix)) continue;
      const name = found[labels.reference] ?? byDigest.get(target.digest)?.name ?? target.digest;
      byDigest.set(target.digest, { name, target });
    }
    return [...byDigest.values()];
  }

  /** Keeps an image whose file system is `chain`. */
  async keepBase(name: string, target: Descriptor, chain: Digest): Promise<void> {
    await this.#client.images.put({
      name: baseRecord(target.digest),
      target,
      labels: { [labels.agent]: this.#agentId, [labels.reference]: name, [labels.chain]: chain },
    });
  }
}

/** Forgets the images whose file system was the snapshot `chain`; the names that led to them stay remembered. */
export async function deleteImagesOn(client: Containerd, agentId: string, chain: string): Promise<void> {
  if (!chain.startsWith('sha256:')) return;
  const images = await client.images.list([`${ownedBy(agentId)},labels."${labels.chain}"==${JSON.stringify(chain)}`]);
  for (const { name } of images) await client.images.delete(name);
}

const recordPrefix = 'loam.local/';

/** Names of records are hashed: a reference may be longer than what containerd's filters and tools like. */
function referenceRecord(name: string, platform: Platform): string {
  return `loam.local/ref/${sha256(`${name} ${formatPlatform(platform)}`).slice(7)}`;
}

function baseRecord(digest: string): string {
  return `loam.local/base/${digest.replace(':', '-')}`;
}
