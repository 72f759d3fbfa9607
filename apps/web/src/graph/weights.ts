import type { CacheNode } from '@loam/contracts';

import type { LayoutInput } from './layout.ts';

/** What a node's width stands for. */
export type WeightKind = 'bytes' | 'time' | 'count';

/** Bytes on disk, of the largest replica if the farm has no figure of its own; null when nobody has told. */
export function knownBytesOf(node: CacheNode): number | null {
  if (node.sizeBytes !== null) return node.sizeBytes;
  const told = node.replicas.flatMap((replica) => replica.sizeBytes ?? []);
  return told.length === 0 ? null : Math.max(...told);
}

/** As `knownBytesOf`, for sums. */
export function bytesOf(node: CacheNode): number {
  return knownBytesOf(node) ?? 0;
}

/**
 * Nodes with their share of the width. What weighs next to nothing still gets a sliver, a fiftieth of the mean, so that
 * every snapshot can be found.
 */
export function weigh(nodes: readonly CacheNode[], kind: WeightKind): LayoutInput[] {
  if (kind === 'count') {
    const parents = new Set(nodes.map((node) => node.parentId));
    return nodes.map((node) => ({ id: node.id, parentId: node.parentId, weight: parents.has(node.id) ? 0 : 1 }));
  }
  const own = nodes.map((node) => (kind === 'bytes' ? bytesOf(node) : (node.durationMs ?? 0)));
  const sum = own.reduce((total, weight) => total + weight, 0);
  const least = sum === 0 ? 1 : sum / nodes.length / 50;
  return nodes.map((node, at) => ({ id: node.id, parentId: node.parentId, weight: Math.max(own[at]!, least) }));
}
