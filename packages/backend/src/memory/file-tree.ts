import { LoamError } from '@loam/base';

import type { Owner, User } from '../platform.ts';
import type { ResolvedPath, TreeEntry } from '../tree.ts';

/** Owner, permission bits and time of an inode. */
export interface Meta {
  uid: number;
  gid: number;
  mode: number;
  mtimeMs: number;
}

interface Directory extends Meta {
  kind: 'directory';
  readonly children: Map<string, Inode>;
}
interface File extends Meta {
  kind: 'file';
  /** Replaced, never changed in place: clones share it. */
  content: Uint8Array;
}
interface Symlink extends Meta {
  kind: 'symlink';
  target: string;
}
interface Device extends Meta {
  kind: 'fifo' | 'character-device' | 'block-device';
  major: number;
  minor: number;
}
type Inode = Directory | File | Symlink | Device;

const newDirectory: Meta = { uid: 0, gid: 0, mode: 0o755, mtimeMs: 0 };
const maximumLinks = 40;

/** A file system in memory: what snapshots and caches of the double hold. Two names of one inode are hard links. */
export class FileTree {
  #root: Directory;

  constructor(meta: Meta = newDirectory) {
    this.#root = { kind: 'directory', children: new Map(), ...meta };
  }

  /** A copy that shares nothing that can change. */
  clone(): FileTree {
    const copies = new Map<Inode, Inode>();
    const copy = (inode: Inode): Inode => {
      const known = copies.get(inode);
      if (known) return known;
      const made: Inode = inode.kind === 'directory' ? { ...inode, children: new Map() } : { ...inode };
      copies.set(inode, made);
      if (made.kind === 'directory' && inode.kind === 'directory') {
        for (const [name, child] of inode.children) made.children.set(name, copy(child));
      }
      return made;
    };
    const tree = new FileTree();
    tree.#root = copy(this.#root) as Directory;
    return tree;
  }

  /** See `TreeReader.resolve`. */
  resolve(path: string): ResolvedPath {
    const found = this.#follow(path);
    return { path: found.path, entry: found.inode && toEntry(found.path, found.inode) };
  }

  /** See `TreeReader.walk`. */
  *walk(path: string): Iterable<TreeEntry> {
    const found = this.#locate(path);
    if (found.inode) yield* walkInode(found.path, found.inode, new Map());
  }

  /** See `TreeReader.owner`; knows what `/etc/passwd` and `/etc/group` say, and root without them. */
  owner(user: User): Owner {
    if (user.kind === 'id') return { uid: user.uid, gid: user.gid };
    const [name = '', group] = user.name.split(':');
    const passwd = this.#table('etc/passwd').find((row) => row[0] === name || row[2] === name);
    const unknown = (): LoamError => LoamError.of('backend.unknown-user', { user: user.name });
    const isNumber = (text: string): boolean => /^\d+$/.test(text);
    if (!passwd && !isNumber(name) && name !== 'root' && name !== '') throw unknown();
    const uid = passwd ? Number(passwd[2]) : Number(isNumber(name) ? name : 0);
    if (group === undefined) return { uid, gid: Number(passwd?.[3] ?? 0), name: passwd?.[0] ?? name };
    const row = this.#table('etc/group').find((other) => other[0] === group || other[2] === group);
    if (!row && !isNumber(group)) throw unknown();
    return { uid, gid: Number(row?.[2] ?? group), name: passwd?.[0] ?? name };
  }

  #table(path: string): string[][] {
    const text = this.readFile(path);
    return text === undefined
      ? []
      : decode(text)
          .split('\n')
          .map((line) => line.split(':'));
  }

  /** Content of the file at `path`, links followed; undefined when no file is there. */
  readFile(path: string): Uint8Array | undefined {
    const { inode } = this.#follow(path);
    return inode?.kind === 'file' ? inode.content : undefined;
  }

  /** Writes a file, links followed, in a directory that must exist. An existing file keeps owner and mode. */
  writeFile(path: string, content: Uint8Array | string, meta: Partial<Meta> = {}): void {
    const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
    const { inode, path: real } = this.#follow(path);
    if (inode?.kind === 'file') {
      inode.content = bytes;
      inode.mtimeMs = meta.mtimeMs ?? inode.mtimeMs;
    } else if (inode) throw new Error(`/${real}: is a directory`);
    else this.#put(real, { kind: 'file', content: bytes, ...newDirectory, mode: 0o644, ...meta });
  }

  /** Makes a directory and those above it. Existing ones stay as they are. */
  makeDirectories(path: string, meta: Partial<Meta> = {}): void {
    const { path: real } = this.#follow(path);
    let current = this.#root;
    for (const name of components(real)) {
      const child = current.children.get(name);
      if (child && child.kind !== 'directory') throw new Error(`/${real}: not a directory`);
      const next: Directory = child ?? { kind: 'directory', children: new Map(), ...newDirectory, ...meta };
      current.children.set(name, next);
      current = next;
    }
  }

  link(path: string, target: string): void {
    const { inode } = this.#follow(target);
    if (inode?.kind !== 'file') throw new Error(`/${target}: no such file`);
    this.#put(this.#locate(path).path, inode);
  }

  symlink(path: string, target: string): void {
    this.#put(this.#locate(path).path, { kind: 'symlink', target, ...newDirectory, mode: 0o777 });
  }

  /** Changes metadata, links followed. False when nothing is there. */
  change(path: string, meta: Partial<Meta>): boolean {
    const { inode } = this.#follow(path);
    if (inode) Object.assign(inode, meta);
    return inode !== undefined;
  }

  /** Removes a path and what is below it, links not followed. */
  remove(path: string): void {
    const { path: real } = this.#locate(path);
    const names = components(real);
    const name = names.pop();
    const parent = this.#follow(names.join('/')).inode;
    if (name !== undefined && parent?.kind === 'directory') parent.children.delete(name);
  }

  /** One entry of a layer: see `Store.applyLayer`. */
  async apply(entry: TreeEntry, onBytes: (count: number) => void): Promise<void> {
    const { uid, gid, mode } = entry;
    const meta: Meta = { uid, gid, mode: mode & 0o7777, mtimeMs: Math.floor(entry.mtimeMs / 1000) * 1000 };
    const { path, inode } = this.#locate(entry.path);
    switch (entry.kind) {
      case 'directory':
        if (inode?.kind === 'directory') Object.assign(inode, meta);
        else this.#put(path, { kind: 'directory', children: new Map(), ...meta });
        break;
      case 'file':
        this.#put(path, { kind: 'file', content: await readAll(entry.open(), entry.sizeBytes, onBytes), ...meta });
        break;
      case 'symlink':
        this.#put(path, { kind: 'symlink', target: entry.target, ...meta });
        break;
      case 'hardlink': {
        const target = this.#locate(entry.target).inode;
        if (target?.kind !== 'file') throw new Error(`hard link to ${entry.target}, which is no file`);
        this.#put(path, target);
        break;
      }
      default:
        this.#put(path, { kind: entry.kind, major: entry.major, minor: entry.minor, ...meta });
    }
  }

  usage(): { sizeBytes: number; inodes: number } {
    let [sizeBytes, inodes] = [0, 0];
    for (const entry of this.walk('')) {
      if (entry.kind === 'file') sizeBytes += entry.sizeBytes;
      if (entry.kind !== 'hardlink') inodes += 1;
    }
    return { sizeBytes, inodes };
  }

  #put(path: string, inode: Inode): void {
    const names = components(path);
    const name = names.pop();
    const parent = this.#follow(names.join('/')).inode;
    if (name === undefined || parent?.kind !== 'directory') throw new Error(`/${path}: no such directory`);
    parent.children.set(name, inode);
  }

  /** The path with all but its last component followed, and what is there. */
  #locate(path: string): { path: string; inode: Inode | undefined } {
    const names = components(path);
    const name = names.pop();
    if (name === undefined) return { path: '', inode: this.#root };
    const parent = this.#follow(names.join('/'));
    const inode = parent.inode?.kind === 'directory' ? parent.inode.children.get(name) : undefined;
    return { path: join(parent.path, name), inode };
  }

  #follow(path: string): { path: string; inode: Inode | undefined } {
    const pending = path.split('/');
    const stack: { name: string; inode: Inode | undefined }[] = [];
    let links = 0;
    for (let name = pending.shift(); name !== undefined; name = pending.shift()) {
      if (name === '' || name === '.') continue;
      if (name === '..') {
        stack.pop();
        continue;
      }
      const here = stack.length === 0 ? this.#root : stack.at(-1)?.inode;
      const inode = here?.kind === 'directory' ? here.children.get(name) : undefined;
      if (inode?.kind === 'symlink' && links < maximumLinks) {
        links += 1;
        if (inode.target.startsWith('/')) stack.length = 0;
        pending.unshift(...inode.target.split('/'));
      } else stack.push({ name, inode: inode?.kind === 'symlink' ? undefined : inode });
    }
    const last = stack.at(-1);
    return { path: stack.map((item) => item.name).join('/'), inode: last ? last.inode : this.#root };
  }
}

function components(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

function join(parent: string, name: string): string {
  return parent === '' ? name : `${parent}/${name}`;
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function toEntry(path: string, inode: Inode): TreeEntry {
  const { uid, gid, mode, mtimeMs } = inode;
  const base = { path, uid, gid, mode, mtimeMs };
  switch (inode.kind) {
    case 'directory':
      return { kind: 'directory', ...base };
    case 'symlink':
      return { kind: 'symlink', target: inode.target, ...base };
    case 'file': {
      const content = inode.content;
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
    default:
      return { kind: inode.kind, major: inode.major, minor: inode.minor, ...base };
  }
}

function* walkInode(path: string, inode: Inode, seen: Map<Inode, string>): Iterable<TreeEntry> {
  const first = seen.get(inode);
  if (first !== undefined) {
    const { uid, gid, mode, mtimeMs } = inode;
    yield { kind: 'hardlink', path, target: first, uid, gid, mode, mtimeMs };
    return;
  }
  if (inode.kind === 'file') seen.set(inode, path);
  yield toEntry(path, inode);
  if (inode.kind !== 'directory') return;
  const children = [...inode.children].map(([name, child]) => ({ key: Buffer.from(name), name, child }));
  children.sort((a, b) => Buffer.compare(a.key, b.key));
  for (const { name, child } of children) yield* walkInode(join(path, name), child, seen);
}

async function readAll(
  source: AsyncIterable<Uint8Array>,
  sizeBytes: number,
  onBytes: (count: number) => void,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of source) {
    parts.push(part.slice());
    size += part.length;
    onBytes(part.length);
  }
  if (size !== sizeBytes) throw new Error(`content of ${size} bytes where ${sizeBytes} were announced`);
  return new Uint8Array(Buffer.concat(parts));
}
