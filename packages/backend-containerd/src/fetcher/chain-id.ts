import { createHash } from 'node:crypto';

import type { Digest } from '@loam/base';

/**
 * The names of an image's snapshots, bottom first: each stands for a layer and everything below it.
 * Source: OCI image-spec config.md, "Layer ChainID".
 */
export function chainIds(diffIds: readonly Digest[]): Digest[] {
  const chain: Digest[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(below === undefined ? diffId : sha256(`${below} ${diffId}`));
  }
  return chain;
}

/** The digest of some bytes, as registries write it. */
export function sha256(data: Uint8Array | string): Digest {
  return `sha256:${createHash('sha256').update(data).digest('hex')}` as Digest;
}
