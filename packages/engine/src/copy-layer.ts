import type { Owner, TreeEntry, TreeReader } from '@loam/backend';
import { LoamError } from '@loam/base';

import { ExecutionFailure } from './executions.ts';
import type { Destination, PlatformRules } from './platform/rules.ts';

/** Something to copy. */
export interface SourceEntry {
  /** Below the item, `/`-separated; `''` is the item itself. Parents come before children, items one after the other. */
  readonly relative: string;
  /** The item's last name; `''` for a whole project or tree, whose content is what is copied. */
  readonly itemName: string;
  /** How it looks at its source. Owner and path are not used. A hard link's target is a key given to an earlier entry. */
  readonly entry: TreeEntry;
  /** Names the entry among the sources, for later hard links to it. */
  readonly key: string;
}

export interface CopyLayerOptions {
  /** The parent snapshot, onto which the layer goes. */
  readonly tree: TreeReader;
  /** To whom everything belongs that the copy makes. */
  readonly owner: Owner;
  /** Modification time of directories that the copy makes and no source describes. */
  readonly nowMs: number;
  readonly destination: Destination;
  readonly rules: PlatformRules;
}

/**
 * Places source entries below a destination.
 *
 * Rules: what exists as a directory stays as it is (owner, mode, time) and is only entered, also through a symbolic link;
 * its entry stands in the layer with the metadata it has, so that applying the layer changes none of it. New directories
 * belong to the step's user: those on the way to the destination with mode 0755, copied ones with their source's mode. Files
 * and links replace files and links, never directories, and a directory never replaces a file.
 */
export class CopyLayer {
  readonly #options: CopyLayerOptions;
  /** Directories placed so far: path as asked for → path without links. */
  readonly #directories = new Map<string, string>([['', '']]);
  /** Directories without links that stand in the layer; true for those that the layer makes. */
  readonly #emitted = new Map<string, boolean>();
  readonly #files = new Set<string>();
  /** Source key → where it was placed. */
  readonly #placed = new Map<string, string>();

  constructor(options: CopyLayerOptions) {
    this.#options = options;
  }

  async *place(entries: AsyncIterable<SourceEntry>): AsyncIterable<TreeEntry> {
    const { destination, rules } = this.#options;
    const root = rules.treePath(destination.path);
    if (destination.isDirectory) yield* this.#enter(root);
    for await (const { relative, itemName, entry, key } of entries) {
      const item = destination.isDirectory && itemName !== '' ? join(root, itemName) : root;
      const path = join(item, relative);
      if (entry.kind === 'directory') yield* this.#enter(path, entry);
      else yield* this.#put(path, entry, key);
    }
  }

  async *#put(path: string, source: Exclude<TreeEntry, { kind: 'directory' }>, key: string): AsyncIterable<TreeEntry> {
    const { tree, owner } = this.#options;
    if (path === '') throw conflict(source.kind, path, 'it is the root directory');
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    yield* this.#enter(parent);
    const realParent = this.#directories.get(parent) ?? parent;
    const real = join(realParent, path.slice(path.lastIndexOf('/') + 1));
    if (this.#emitted.has(real)) throw conflict(source.kind, real, 'the same copy puts a directory there');
    if (!this.#isNew(realParent)) {
      const found = await tree.resolve(real);
      if (found.entry?.kind === 'directory' && found.path === real) {
        throw conflict(source.kind, real, 'a directory is there');
      }
    }
    this.#files.add(real);
    this.#placed.set(key, real);
    const placed = { ...source, path: real, uid: owner.uid, gid: owner.gid };
    if (placed.kind === 'hardlink') yield { ...placed, target: this.#placed.get(placed.target) ?? placed.target };
    else yield placed;
  }

  /** Makes sure that `path` is a directory of the layer, with everything above it. `source` describes it when it is copied. */
  async *#enter(path: string, source?: TreeEntry): AsyncIterable<TreeEntry> {
    if (this.#directories.has(path)) return;
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    yield* this.#enter(parent);
    const realParent = this.#directories.get(parent) ?? parent;
    const asked = join(realParent, path.slice(path.lastIndexOf('/') + 1));
    // Below a directory that the layer makes there is nothing to find.
    const real = this.#isNew(realParent) ? asked : (await this.#options.tree.resolve(asked)).path;
    for (let end = 0; end !== -1;) {
      end = real.indexOf('/', end + 1);
      const ancestor = end === -1 ? real : real.slice(0, end);
      if (ancestor !== '' && !this.#emitted.has(ancestor)) yield await this.#directoryEntry(ancestor, real, source);
    }
    this.#directories.set(path, real);
  }

  async #directoryEntry(path: string, wanted: string, source: TreeEntry | undefined): Promise<TreeEntry> {
    const { tree, owner, nowMs } = this.#options;
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    const existing = this.#isNew(parent) ? undefined : (await tree.resolve(path)).entry;
    if (this.#files.has(path)) throw conflict('directory', path, 'the same copy puts a file there');
    if (existing && existing.kind !== 'directory') throw conflict('directory', path, 'a file is there');
    this.#emitted.set(path, existing === undefined);
    if (existing) return existing;
    const described = path === wanted ? source : undefined;
    const { uid, gid } = owner;
    return { kind: 'directory', path, uid, gid, mode: described?.mode ?? 0o755, mtimeMs: described?.mtimeMs ?? nowMs };
  }

  #isNew(path: string): boolean {
    return this.#emitted.get(path) === true;
  }
}

function join(parent: string, name: string): string {
  if (parent === '' || name === '') return parent + name;
  return `${parent}/${name}`;
}

const kindNames: Partial<Record<TreeEntry['kind'], string>> = {
  file: 'a file',
  directory: 'a directory',
  symlink: 'a link',
  hardlink: 'a file',
};

function conflict(kind: TreeEntry['kind'], path: string, reason: string): ExecutionFailure {
  const details = { kind: kindNames[kind] ?? kind, path: `/${path}`, reason };
  return new ExecutionFailure((position) => LoamError.of('engine.copy-conflict', { position, ...details }));
}
