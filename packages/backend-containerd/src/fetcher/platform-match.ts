import type { Platform } from '@loam/backend';

import type { IndexEntry, ManifestPlatform } from './manifest.ts';

/** Compares OS versions for the platforms that have them. Returns undefined when the image cannot run, else a rank: higher is better. */
export type OsVersionRank = (image: string | undefined, wanted: string | undefined) => number | undefined;

/** Variants in order of preference, where an architecture has any. Source: containerd platforms, as Docker picks them. */
const variants: Readonly<Record<string, readonly (string | undefined)[]>> = {
  arm64: ['v8', undefined, ''],
  arm: ['v7', undefined, 'v6', 'v5'],
  amd64: [undefined, 'v1'],
};

/**
 * The image of an index that is made for `wanted`; the best one when there are several. Undefined when there is none.
 * Attestations (`unknown/unknown`) never match.
 */
export function choosePlatform(
  entries: readonly IndexEntry[],
  wanted: Platform,
  rankOsVersion: OsVersionRank,
): IndexEntry | undefined {
  let best: { entry: IndexEntry; rank: readonly [number, number] } | undefined;
  for (const entry of entries) {
    const rank = entry.platform === undefined ? undefined : rankPlatform(entry.platform, wanted, rankOsVersion);
    if (rank === undefined) continue;
    const better = best === undefined || rank[0] > best.rank[0] || (rank[0] === best.rank[0] && rank[1] > best.rank[1]);
    if (better) best = { entry, rank };
  }
  return best?.entry;
}

/** How well an image suits: undefined when it cannot run, else variant rank and OS version rank. */
export function rankPlatform(
  image: ManifestPlatform,
  wanted: Platform,
  rankOsVersion: OsVersionRank,
): readonly [number, number] | undefined {
  if (image.os !== wanted.os || image.architecture !== wanted.architecture) return undefined;
  const order = variants[wanted.architecture] ?? [undefined];
  const variant = order.indexOf(image.variant);
  if (variant === -1) return undefined;
  const version = rankOsVersion(image.osVersion, wanted.osVersion);
  return version === undefined ? undefined : [order.length - variant, version];
}

/** For platforms whose images carry no OS version: anything goes. */
export const ignoreOsVersion: OsVersionRank = () => 0;

/** What an index has, for an error message. */
export function listPlatforms(entries: readonly IndexEntry[]): string {
  const names = entries
    .filter(({ platform }) => platform !== undefined && platform.os !== 'unknown')
    .map(({ platform }) => formatManifestPlatform(platform));
  return names.length === 0 ? 'none' : [...new Set(names)].join(', ');
}

export function formatManifestPlatform(platform: ManifestPlatform | undefined): string {
  if (platform === undefined) return 'unknown';
  const variant = platform.variant === undefined ? '' : `/${platform.variant}`;
  const version = platform.osVersion === undefined ? '' : `:${platform.osVersion}`;
  return `${platform.os}/${platform.architecture}${variant}${version}`;
}
