import type { ResolvedPath, TreeEntry } from '@loam/backend';
import type { ProgramTree } from '@loam/backend/memory';

import { foldCase } from './ntfs-names.ts';

/** `FILE_ATTRIBUTE_…` of winnt.h, as `MSWINDOWS.fileattr` gives them (reference §3.4). */
export const fileAttribute = { readonly: 1, directory: 16, archive: 32 } as const;

/** What a layer says about a file beside its bytes. */
export interface NtfsMeta {
  attributes: number;
  /** A self-relative security descriptor in base64; undefined: inherited. */
  security: string | undefined;
  mtimeMs: number;
  /** As in `LIBARCHIVE.creationtime`. */
  createdAt: string | undefined;
}

export interface DirectoryNode extends NtfsMeta {
  readonly kind: 'directory';
  /** By name in capitals, with the name as it was given: two names of one node are hard links. */
  readonly children: Map<string, { readonly name: string; readonly node: TreeNode }>;
}
export interface FileNode extends NtfsMeta {
  readonly kind: 'file';
  /** Replaced, never changed in place: snapshots share it. */
  content: Uint8Array;
}
export interface SymlinkNode extends NtfsMeta {
  readonly kind: 'symlink';
  target: string;
}
export type TreeNode = DirectoryNode | FileNode | SymlinkNode;

const maximumLinks = 40;

/**
 * A volume in memory that behaves as NTFS does to a build: names keep their case and are found in any case; files have
 * attributes and a security descriptor, and no Unix owner or mode. Paths are `/`- or `\`-separated and relative to the root.
 */
export class LayerTree implements ProgramTree {
  readonly root: DirectoryNode = newDirectory();

  /** A copy that shares nothing that can change. */
  clone(): LayerTree {
    const tree = new LayerTree();
    const copies = new Map<TreeNode, TreeNode>();
    const fill = (from: DirectoryNode, to: DirectoryNode): void => {
      for (const [key, { name, node: child }] of from.children) {
        const known = copies.get(child);
        const copy: TreeNode = known ?? (child.kind === 'directory' ? { ...child, children: new Map() } : { ...child });
        copies.set(child, copy);
        to.children.set(key, { name, node: copy });
        if (child.kind === 'directory') fill(child, copy as DirectoryNode);
      }
    };
    fill(this.root, tree.root);
    return tree;
  }

  /** What is at a path, its last component not followed. */
  find(path: string): TreeNode | undefined {
    const { names, parent } = this.#parent(path);
    const name = names.at(-1);
    if (name === undefined) return this.root;
    return parent?.children.get(foldCase(name))?.node;
  }

  /** Puts a node there; its directory must exist. False when it does not. */
  put(path: string, node: TreeNode): boolean {
    const { names, parent } = this.#parent(path);
    const name = names.at(-1);
    if (name === undefined || parent === undefined) return false;
    parent.children.set(foldCase(name), { name, node });
    return true;
  }

  resolve(path: string): ResolvedPath {
    const found = this.#follow(path);
    return { path: found.path, entry: found.node && toEntry(found.path, found.node) };
  }

  readFile(path: string): Uint8Array | undefined {
    const { node } = this.#follow(path);
    return node?.kind === 'file' ? node.content : undefined;
  }

  writeFile(path: string, content: Uint8Array | string, meta: { mtimeMs?: number } = {}): void {
    const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
    const { node, path: real } = this.#follow(path);
    const mtimeMs = meta.mtimeMs ?? 0;
    if (node?.kind === 'file') {
      if ((node.attributes & fileAttribute.readonly) !== 0) throw new Error(`${path}: Access is denied.`);
      Object.assign(node, { content: bytes, mtimeMs });
    } else if (node) throw new Error(`${path}: Access is denied.`);
    else if (!this.put(real, newFile(bytes, mtimeMs))) {
      throw new Error(`${path}: The system cannot find the path specified.`);
    }
  }

  makeDirectories(path: string, meta: { mtimeMs?: number } = {}): void {
    let current = this.root;
    for (const name of components(this.#follow(path).path)) {
      const child = current.children.get(foldCase(name))?.node;
      if (child && child.kind !== 'directory') throw new Error(`${path}: The directory name is invalid.`);
      const next = child ?? { ...newDirectory(), mtimeMs: meta.mtimeMs ?? 0 };
      if (!child) current.children.set(foldCase(name), { name, node: next });
      current = next;
    }
  }

  remove(path: string): void {
    const { names, parent } = this.#parent(path);
    parent?.children.delete(foldCase(names.at(-1) ?? ''));
  }

  /** Only what Windows has: the write bit is the read-only attribute, owner and the rest are nothing. */
  change(path: string, meta: { mode?: number; mtimeMs?: number }): boolean {
    const { node } = this.#follow(path);
    if (!node) return false;
    if (meta.mtimeMs !== undefined) node.mtimeMs = meta.mtimeMs;
    if (meta.mode !== undefined && node.kind === 'file') {
      const others = node.attributes & ~fileAttribute.readonly;
      node.attributes = (meta.mode & 0o200) === 0 ? others | fileAttribute.readonly : others;
    }
    return true;
  }

  symlink(path: string, target: string): void {
    const node: SymlinkNode = { kind: 'symlink', target, ...newMeta(fileAttribute.archive) };
    if (!this.put(path, node)) throw new Error(`${path}: The system cannot find the path specified.`);
  }

  link(path: string, target: string): void {
    const { node } = this.#follow(target);
    if (node?.kind !== 'file') throw new Error(`${target}: The system cannot find the file specified.`);
    if (!this.put(path, node)) throw new Error(`${path}: The system cannot find the path specified.`);
  }

  /** Everything below a path, parents first, siblings in byte order of their names. */
  *nodes(path = ''): Generator<{ path: string; node: TreeNode }> {
    const start = this.find(path);
    if (start) yield* walk(components(path).join('/'), start);
  }

  #parent(path: string): { names: string[]; parent: DirectoryNode | undefined } {
    const names = components(path);
    const { node } = this.#follow(names.slice(0, -1).join('/'));
    return { names, parent: node?.kind === 'directory' ? node : undefined };
  }

  #follow(path: string): { path: string; node: TreeNode | undefined } {
    const pending = path.split(/[\\/]/);
    const stack: { name: string; node: TreeNode | undefined }[] = [];
    let links = 0;
    for (let name = pending.shift(); name !== undefined; name = pending.shift()) {
      if (name === '' || name === '.') continue;
      if (name === '..') {
        stack.pop();
        continue;
      }
      const last = stack.at(-1);
      const here = last ? last.node : this.root;
      const found = here?.kind === 'directory' ? here.children.get(foldCase(name)) : undefined;
      const node = found?.node;
      if (node?.kind === 'symlink' && links < maximumLinks) {
        links += 1;
        if (/^(?:[A-Za-z]:)?[\\/]/.test(node.target)) stack.length = 0;
        pending.unshift(...node.target.replace(/^[A-Za-z]:/, '').split(/[\\/]/));
      } else stack.push({ name: found?.name ?? name, node: node?.kind === 'symlink' ? undefined : node });
    }
    const last = stack.at(-1);
    return { path: stack.map((item) => item.name).join('/'), node: last ? last.node : this.root };
  }
}

export function newDirectory(): DirectoryNode {
  return { kind: 'directory', children: new Map(), ...newMeta(fileAttribute.directory) };
}

function newFile(content: Uint8Array, mtimeMs: number): FileNode {
  return { kind: 'file', content, ...newMeta(fileAttribute.archive), mtimeMs };
}

function newMeta(attributes: number): NtfsMeta {
  return { attributes, security: undefined, mtimeMs: 0, createdAt: undefined };
}

export function components(path: string): string[] {
  return path.split(/[\\/]/).filter((name) => name !== '' && name !== '.');
}

function* walk(path: string, node: TreeNode): Generator<{ path: string; node: TreeNode }> {
  yield { path, node };
  if (node.kind !== 'directory') return;
  const children = [...node.children.values()].map((child) => ({ ...child, key: Buffer.from(child.name) }));
  children.sort((a, b) => Buffer.compare(a.key, b.key));
  for (const { name, node: child } of children) yield* walk(path === '' ? name : `${path}/${name}`, child);
}

function toEntry(path: string, node: TreeNode): TreeEntry {
  const readonly = (node.attributes & fileAttribute.readonly) !== 0;
  const mode = node.kind === 'directory' ? 0o755 : readonly ? 0o444 : 0o644;
  const base = { path, uid: 0, gid: 0, mode, mtimeMs: node.mtimeMs };
  if (node.kind === 'directory') return { kind: 'directory', ...base };
  if (node.kind === 'symlink') return { kind: 'symlink', target: node.target, ...base };
  const content = node.content;
  return {
    kind: 'file',
    sizeBytes: content.length,
    async *open() {
      await Promise.resolve();
      if (content.length > 0) yield content;
    },
    ...base,
  };
}
