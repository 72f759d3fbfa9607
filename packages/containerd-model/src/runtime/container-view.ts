import { statSync } from 'node:fs';

import type { ProgramTree } from '@loam/backend/memory';

import { HostTree } from '../programs/host-tree.ts';
import { volumePath } from '../programs/program.ts';
import type { LayerTree } from '../storage/layer-tree.ts';
import { foldCase } from '../storage/ntfs-names.ts';
import type { SpecMount } from './spec-check.ts';

export interface ContainerPath {
  readonly tree: ProgramTree;
  readonly path: string;
  readonly readonly: boolean;
}

interface MountedTree {
  /** Folded path of the volume. */
  readonly at: string;
  readonly tree: HostTree;
  readonly readonly: boolean;
}

/** The one volume of a container with its mounts on it (reference §4.4). */
export class ContainerView {
  readonly tree: LayerTree;
  readonly #mounts: MountedTree[];

  constructor(tree: LayerTree, mounts: readonly SpecMount[]) {
    this.tree = tree;
    this.#mounts = mounts.map(({ source = '', destination = '', options = [] }) => ({
      at: foldCase(volumePath(destination)),
      tree: new HostTree(source),
      readonly: options.some((option) => option.toLowerCase() === 'ro'),
    }));
    for (const { source = '', destination = '' } of mounts) this.#makeMountPoint(source, volumePath(destination));
  }

  at(path: string): ContainerPath {
    const inside = volumePath(path);
    const folded = foldCase(inside);
    const mount = this.#mounts.find(({ at }) => folded === at || folded.startsWith(`${at}/`));
    if (!mount) return { tree: this.tree, path: inside, readonly: false };
    return { tree: mount.tree, path: inside.slice(mount.at.length + 1), readonly: mount.readonly };
  }

  /** What a mount hides has to be there: a directory, or an empty file. */
  #makeMountPoint(source: string, at: string): void {
    if (this.tree.resolve(at).entry !== undefined) return;
    const isFile = statSync(source, { throwIfNoEntry: false })?.isFile() === true;
    const parent = at.slice(0, Math.max(0, at.lastIndexOf('/')));
    this.tree.makeDirectories(isFile ? parent : at);
    if (isFile) this.tree.writeFile(at, '');
  }
}
