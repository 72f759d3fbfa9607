import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { fail } from '../grpc-codes.ts';
import { ownUsage, parentsOf, parentTree, type LayerDirectory } from './layer-directory.ts';
import { LayerTree } from './layer-tree.ts';

export interface WindowsSnapshotterOptions {
  /** A directory of this host in which the layer directories are really made (empty), for code that looks at the disk. */
  readonly rootDirectory?: string;
  /** DestroyLayer fails after the rename: `rm-<id>` stays for ever (reference §3.2). */
  readonly destroyLayerFails?: (id: string) => boolean;
}

export interface LayerMount {
  readonly type: string;
  readonly source: string;
  readonly target: string;
  readonly options: string[];
}

const windowsRoot = 'C:\\ProgramData\\containerd\\root';
const plugin = 'io.containerd.snapshotter.v1.windows';

/** The `windows` snapshotter: what is in its directories (reference §3.1, §3.2). Names and labels are metadata's business. */
export class WindowsSnapshotter {
  readonly #options: WindowsSnapshotterOptions;
  readonly #directories = new Map<string, LayerDirectory>();
  /** Directories `rm-<id>` that nobody will delete. */
  readonly #remains = new Set<string>();
  #next = 1;

  constructor(options: WindowsSnapshotterOptions) {
    this.#options = options;
  }

  /**
   * A new directory. With `extract` anywhere in the backend key it is empty, a target for `Diff.Apply`; otherwise it gets a
   * scratch, or `Files\` when it has no parent. A view gets a scratch too.
   */
  prepare(backendKey: string, parent: LayerDirectory | undefined, readonly: boolean): LayerDirectory {
    const id = String(this.#next++);
    const directory: LayerDirectory = {
      id,
      source: this.#path(id),
      backendKey,
      parent,
      readonly,
      applied: undefined,
      scratch: undefined,
      hasUtilityVm: false,
      committed: undefined,
      usage: { sizeBytes: 0, inodes: 1 },
      attachedBy: undefined,
    };
    if (!isForExtraction(directory)) {
      if (parent) directory.scratch = parentTree(directory).clone();
      else directory.applied = new LayerTree();
    }
    this.#directories.set(id, directory);
    if (this.#options.rootDirectory !== undefined) mkdirSync(directory.source, { recursive: true });
    return directory;
  }

  mounts(directory: LayerDirectory): LayerMount[] {
    const parents = parentsOf(directory).map(({ source }) => source);
    const options = [directory.readonly ? 'ro' : 'rw'];
    if (parents.length > 0) options.push(`parentLayerPaths=${JSON.stringify(parents)}`);
    return [{ type: 'windows-layer', source: directory.source, target: '', options }];
  }

  /** What a commit would work through: it takes its time (reference §3.7). */
  commitWork(directory: LayerDirectory): { sizeBytes: number; inodes: number } {
    return ownUsage(this.#toCommit(directory), parentTree(directory));
  }

  /**
   * Commits what the rules of §3.2 say: a directory for extraction is just marked, whatever a container wrote into the scratch
   * that its shim made; with a parent the scratch is exported, over whatever was applied to the directory.
   */
  commit(directory: LayerDirectory): void {
    if (directory.attachedBy !== undefined) {
      throw fail.unknown(
        `failed to reimport snapshot: hcsshim::ExportLayer - failed: ${directory.source}: The process cannot access the file because it is being used by another process.`,
      );
    }
    const tree = this.#toCommit(directory);
    const own = ownUsage(tree, parentTree(directory));
    // The VHDX stays beside the files that it was converted to (reference §3.2).
    const copies = !isForExtraction(directory) && directory.scratch ? 2 : 1;
    directory.usage = { sizeBytes: own.sizeBytes * copies, inodes: own.inodes };
    directory.committed = {
      tree,
      hasFiles: isForExtraction(directory) ? directory.applied !== undefined : true,
    };
  }

  /** An active directory's disk usage now; a committed one's as it was at the commit. */
  usage(directory: LayerDirectory): { sizeBytes: number; inodes: number } {
    if (directory.committed) return directory.usage;
    const tree = directory.scratch ?? directory.applied;
    return tree ? ownUsage(tree, parentTree(directory)) : directory.usage;
  }

  /** The tree that a container on it runs on. A shim makes a scratch that is missing: "legacy use cases" (reference §3.2). */
  runTree(directory: LayerDirectory): LayerTree {
    directory.scratch ??= (directory.applied ?? parentTree(directory)).clone();
    return directory.scratch;
  }

  /** The tree that a layer is applied to. */
  applyTree(directory: LayerDirectory): LayerTree {
    directory.applied ??= parentTree(directory).clone();
    return directory.applied;
  }

  bySource(source: string): LayerDirectory | undefined {
    return [...this.#directories.values()].find((directory) => directory.source === source);
  }

  /** Removes a directory, as the collector's prune pass does (reference §2.4, §3.2). */
  remove(directory: LayerDirectory): void {
    if (directory.attachedBy !== undefined) {
      throw fail.precondition(`failed to rename ${directory.source} to rm-${directory.id}: Access is denied.`);
    }
    this.#directories.delete(directory.id);
    const doomed = this.#path(`rm-${directory.id}`);
    const onDisk = this.#options.rootDirectory !== undefined;
    if (onDisk) renameSync(directory.source, doomed);
    if (this.#options.destroyLayerFails?.(directory.id)) this.#remains.add(`rm-${directory.id}`);
    else if (onDisk) rmSync(doomed, { recursive: true });
  }

  /** Names of what is in `snapshots\`. */
  list(): string[] {
    return [...this.#directories.keys(), ...this.#remains];
  }

  /** All directories that the snapshotter still knows. */
  directories(): readonly LayerDirectory[] {
    return [...this.#directories.values()];
  }

  #toCommit(directory: LayerDirectory): LayerTree {
    if (isForExtraction(directory) || !directory.parent) return directory.applied ?? parentTree(directory).clone();
    return directory.scratch ?? parentTree(directory).clone();
  }

  #path(name: string): string {
    const { rootDirectory } = this.#options;
    return rootDirectory === undefined
      ? `${windowsRoot}\\${plugin}\\snapshots\\${name}`
      : join(rootDirectory, plugin, 'snapshots', name);
  }
}

/** `strings.Contains(key, "extract")`, anywhere, case-sensitive (reference §3.2). */
export function isForExtraction(directory: { readonly backendKey: string }): boolean {
  return directory.backendKey.includes('extract');
}
