import { constants, createReadStream } from 'node:fs';
import { lstat, open, readdir, readlink } from 'node:fs/promises';
import type { BigIntStats } from 'node:fs';

import { LoamError } from '@loam/base';
import type { Owner, ResolvedPath, TreeEntry, TreeReader, User } from '@loam/backend';

import { followLinks, joinPath, splitPath } from '../tree/follow-links.ts';
import { resolveUser, type UserFiles } from './passwd.ts';

const maxUserFileBytes = 4 << 20;

/** Reads a file tree that is mounted, or lies, at a host directory and does not change. `close` is the caller's to add. */
export class HostTree implements Omit<TreeReader, 'close'> {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async resolve(path: string): Promise<ResolvedPath> {
    const found = await followLinks(path, async (at) => {
      const stats = await this.#lstat(at);
      if (stats === undefined) return 'nothing';
      return stats.isSymbolicLink() ? { linkTo: await readlink(this.#host(at)) } : 'something';
    });
    const stats = found.exists ? await this.#lstat(found.path) : undefined;
    return { path: found.path, entry: stats && (await this.#entry(found.path, stats)) };
  }

  async *walk(path: string): AsyncIterable<TreeEntry> {
    const start = splitPath(path);
    if (start.includes('..')) throw new Error('walk takes a path without ..');
    // Only the last component may be a link: an earlier one would lead out of the tree that was asked for.
    const parent = await this.resolve(start.slice(0, -1).join('/'));
    if (start.length > 0 && parent.entry?.kind !== 'directory') return;
    const name = start.at(-1);
    const at = name === undefined ? '' : joinPath(parent.path, name);
    yield* this.#walk(at, new Map());
  }

  async owner(user: User): Promise<Owner> {
    const { uid, gid, name } = resolveUser(user, await this.userFiles());
    return name === undefined ? { uid, gid } : { uid, gid, name };
  }

  async userFiles(): Promise<UserFiles> {
    const [passwd, group] = await Promise.all([this.#text('etc/passwd'), this.#text('etc/group')]);
    return { passwd, group };
  }

  async #text(path: string): Promise<string> {
    const { entry, path: real } = await this.resolve(path);
    if (entry?.kind !== 'file' || entry.sizeBytes > maxUserFileBytes) return '';
    const handle = await open(this.#host(real), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      return await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  }

  async *#walk(path: string, seen: Map<string, string>): AsyncIterable<TreeEntry> {
    const stats = await this.#lstat(path);
    if (stats === undefined || stats.isSocket()) return;
    const identity = `${stats.dev}:${stats.ino}`;
    const first = !stats.isDirectory() && stats.nlink > 1n ? seen.get(identity) : undefined;
    if (first !== undefined) {
      yield { ...common(path, stats), kind: 'hardlink', target: first };
      return;
    }
    if (!stats.isDirectory() && stats.nlink > 1n) seen.set(identity, path);
    yield await this.#entry(path, stats);
    if (!stats.isDirectory()) return;
    for (const name of await this.#names(path)) yield* this.#walk(joinPath(path, name), seen);
  }

  async #names(path: string): Promise<string[]> {
    const raw = await readdir(this.#host(path), { encoding: 'buffer' });
    return raw
      .toSorted((a, b) => Buffer.compare(a, b))
      .map((bytes) => {
        const name = bytes.toString('utf8');
        if (!Buffer.from(name).equals(bytes)) {
          throw LoamError.of('backend.name-unsupported', { name, reason: 'it is not UTF-8' });
        }
        return name;
      });
  }

  async #entry(path: string, stats: BigIntStats): Promise<TreeEntry> {
    const base = common(path, stats);
    if (stats.isDirectory()) return { ...base, kind: 'directory' };
    if (stats.isSymbolicLink()) return { ...base, kind: 'symlink', target: await readlink(this.#host(path)) };
    if (stats.isFile()) {
      const flags = constants.O_RDONLY | constants.O_NOFOLLOW;
      const open = (): AsyncIterable<Uint8Array> =>
        createReadStream(this.#host(path), { flags: flags as unknown as string, highWaterMark: 1 << 20 });
      return { ...base, kind: 'file', sizeBytes: Number(stats.size), open };
    }
    const kind = stats.isFIFO() ? 'fifo' : stats.isBlockDevice() ? 'block-device' : 'character-device';
    const device = stats.isFIFO() ? 0n : stats.rdev;
    return { ...base, kind, major: deviceMajor(device), minor: deviceMinor(device) };
  }

  async #lstat(path: string): Promise<BigIntStats | undefined> {
    try {
      return await lstat(this.#host(path), { bigint: true });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
      throw error;
    }
  }

  #host(path: string): string {
    return path === '' ? this.#root : `${this.#root}/${path}`;
  }
}

function common(
  path: string,
  stats: BigIntStats,
): { path: string; uid: number; gid: number; mode: number; mtimeMs: number } {
  const { uid, gid, mode, mtimeMs } = stats;
  return { path, uid: Number(uid), gid: Number(gid), mode: Number(mode & 0o7777n), mtimeMs: Number(mtimeMs) };
}

/** Linux's device numbers as glibc's gnu_dev_major and gnu_dev_minor read them. */
function deviceMajor(device: bigint): number {
  return Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n));
}
function deviceMinor(device: bigint): number {
  return Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n));
}
