import { LayerTree, type TreeNode } from './layer-tree.ts';

/**
 * A directory `snapshots\<id>` of the windows snapshotter (reference §3.1). Trees are merged with what lies below: the model
 * has no filter driver that would do that.
 */
export interface LayerDirectory {
  readonly id: string;
  readonly source: string;
  /** The key as the snapshotter sees it: `<namespace>/<sequence>/<key>` (reference §2.5). */
  readonly backendKey: string;
  readonly parent: LayerDirectory | undefined;
  readonly readonly: boolean;
  /** What `Diff.Apply` wrote: `Files\`. */
  applied: LayerTree | undefined;
  /** `sandbox.vhdx`. */
  scratch: LayerTree | undefined;
  /** `UtilityVM\`, in a base layer. */
  hasUtilityVm: boolean;
  /** Once committed: what children see, and whether the layer has a `Files\` of its own. */
  committed: { readonly tree: LayerTree; readonly hasFiles: boolean } | undefined;
  usage: { sizeBytes: number; inodes: number };
  /** Who has the scratch attached: a container, or a shim that died and left it so (reference §4.7). */
  attachedBy: string | undefined;
}

export function parentTree(directory: LayerDirectory): LayerTree {
  return directory.parent?.committed?.tree ?? new LayerTree();
}

/** Immediate parent first, base last, as in `parentLayerPaths` (reference §3.1). */
export function parentsOf(directory: LayerDirectory): LayerDirectory[] {
  return directory.parent ? [directory.parent, ...parentsOf(directory.parent)] : [];
}

/** The bytes and files in which a tree differs from the one below it. */
export function ownUsage(tree: LayerTree, below: LayerTree): { sizeBytes: number; inodes: number } {
  let [sizeBytes, inodes] = [0, 0];
  const counted = new Set<TreeNode>();
  for (const { path, node } of tree.nodes()) {
    if (counted.has(node) || isSame(node, below.find(path))) continue;
    counted.add(node);
    inodes += 1;
    if (node.kind === 'file') sizeBytes += node.content.length;
  }
  return { sizeBytes, inodes };
}

/** Whether a node is the same as another, without what is below it. */
export function isSame(node: TreeNode, other: TreeNode | undefined): boolean {
  if (other?.kind !== node.kind) return false;
  if (node.attributes !== other.attributes || node.security !== other.security) return false;
  if (node.kind === 'file' && other.kind === 'file') {
    return node.content === other.content && node.mtimeMs === other.mtimeMs;
  }
  return node.kind !== 'symlink' || other.kind !== 'symlink' || node.target === other.target;
}
