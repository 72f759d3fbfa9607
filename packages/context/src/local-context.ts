import type { BigIntStats, Dirent } from 'node:fs';
import { lstat, open, readdir, readlink } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';

import { cancelled, isLoamError, LoamError, type Clock, type Digest } from '@loam/base';

import { DigestIndex } from './digest-index.ts';
import { blocksOf, hashFile, readOnlyNoFollow, readSmall, stampOf } from './file-digest.ts';
import { limiter } from './limiter.ts';
import { comparePaths, sourceComponents } from './source-path.ts';
import type { ContextEntry, ContextFile, ContextItem, ContextQuery, ContextSource } from './source.ts';

export interface LocalContextOptions {
  /** Where digests are remembered between builds; made when missing. One file per project directory. */
  readonly indexFile: string;
  readonly clock: Clock;
}

const hashesAtOnce = 4;
const looksAtOnce = 32;
/** Files up to this size are read without the thread pool, whose four trips for each would take longer than the reading. */
const readAtOnceBytes = 64 * 1024;

/** The files of a directory on this host. A file is hashed once and remembered by size, times and inode. */
export function openLocalContext(directory: string, options: LocalContextOptions): ContextSource {
  return new LocalContext(resolve(directory), options);
}

class LocalContext implements ContextSource {
  readonly #root: string;
  readonly #clock: Clock;
  readonly #index: DigestIndex;
  readonly #hash = limiter(hashesAtOnce);
  readonly #look = limiter(looksAtOnce);
  readonly #hashing = new Map<string, Promise<{ digest: Digest; sizeBytes: number }>>();

  constructor(root: string, options: LocalContextOptions) {
    this.#root = root;
    this.#clock = options.clock;
    this.#index = new DigestIndex(options.indexFile, root);
  }

  async query({ sources, excludes }: ContextQuery, signal?: AbortSignal): Promise<ContextItem[]> {
    await this.#index.load();
    const excluded = new Set(excludes);
    try {
      const items = await Promise.all(sources.map((source) => this.#item(source, excluded, signal)));
      await this.#index.save();
      return items;
    } catch (error) {
      throw signal?.aborted && !isLoamError(error) ? cancelled() : error;
    }
  }

  async *open(file: ContextFile): AsyncIterable<Uint8Array> {
    if (file.sizeBytes <= readAtOnceBytes) {
      yield* await this.#translate(file.path, async () => readSmall(this.#host(file.path), file.sizeBytes));
      return;
    }
    const handle = await this.#translate(file.path, () => open(this.#host(file.path), readOnlyNoFollow));
    try {
      for await (const bytes of blocksOf(handle, file.sizeBytes)) yield new Uint8Array(bytes);
    } finally {
      await handle.close();
    }
  }

  async #item(source: string, excluded: ReadonlySet<string>, signal: AbortSignal | undefined): Promise<ContextItem> {
    const components = sourceComponents(source, sep);
    await this.#checkParents(source, components);
    const path = components.join('/');
    const entries: ContextEntry[] = [];
    const stats = await this.#stat(path);
    if (!stats) throw LoamError.of('context.source-missing', { source });
    await this.#collect(path, stats, excluded, entries, signal);
    entries.sort(comparePaths);
    // With excludes, what was not seen may still be there.
    if (excluded.size === 0) this.#index.keepOnly(path, new Set(entries.map((entry) => entry.path)));
    return { path, entries };
  }

  /** A link on the way could lead anywhere, so only real directories are walked through. */
  async #checkParents(source: string, components: readonly string[]): Promise<void> {
    const root = await this.#stat('');
    if (!root?.isDirectory()) throw LoamError.of('context.directory-missing', { directory: this.#root });
    for (let depth = 1; depth < components.length; depth += 1) {
      const path = components.slice(0, depth).join('/');
      const stats = await this.#stat(path);
      if (stats?.isSymbolicLink()) {
        throw LoamError.of('context.source-outside', { source, reason: `"${path}" is a symbolic link` });
      }
      if (!stats?.isDirectory()) throw LoamError.of('context.source-missing', { source });
    }
  }

  async #collect(
    path: string,
    stats: BigIntStats,
    excluded: ReadonlySet<string>,
    entries: ContextEntry[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (signal?.aborted) throw cancelled();
    if (stats.isFile()) entries.push(await this.#file(path, stats, signal));
    else if (stats.isSymbolicLink()) entries.push({ kind: 'symlink', path, target: await this.#linkTarget(path) });
    else if (stats.isDirectory()) {
      entries.push({ kind: 'directory', path });
      const children = await this.#look(() => this.#list(path));
      const wanted = children.filter((name) => !excluded.has(name));
      await Promise.all(
        wanted.map(async (name) => {
          const child = path === '' ? name : `${path}/${name}`;
          const childStats = await this.#look(() => this.#stat(child));
          // Gone between the listing and the look: the manifest is of one moment, and then it was not there.
          if (childStats) await this.#collect(child, childStats, excluded, entries, signal);
        }),
      );
    } else throw LoamError.of('context.unsupported-file', { path });
  }

  async #file(path: string, stats: BigIntStats, signal: AbortSignal | undefined): Promise<ContextFile> {
    const stamp = stampOf(stats);
    const mode = (Number(stats.mode) & 0o111) !== 0 && sep === '/' ? 0o755 : 0o644;
    const known = this.#index.get(path, stamp);
    if (known) return { kind: 'file', path, sizeBytes: stamp.sizeBytes, mode, digest: known };
    const { digest, sizeBytes } = await this.#digest(path, signal);
    return { kind: 'file', path, sizeBytes, mode, digest };
  }

  /** Two copies that name one file hash it once. */
  #digest(path: string, signal: AbortSignal | undefined): Promise<{ digest: Digest; sizeBytes: number }> {
    let hashing = this.#hashing.get(path);
    if (!hashing) {
      hashing = this.#hash(async () => {
        const hashed = await this.#translate(path, () => hashFile(this.#host(path), this.#clock, signal));
        if (hashed.stamp) this.#index.set(path, hashed.stamp, hashed.digest);
        return hashed;
      });
      this.#hashing.set(path, hashing);
      const done = (): void => void this.#hashing.delete(path);
      hashing.then(done, done);
    }
    return hashing;
  }

  async #stat(path: string): Promise<BigIntStats | undefined> {
    try {
      return await lstat(this.#host(path), { bigint: true });
    } catch (error) {
      if (isCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
      throw unreadable(path, error);
    }
  }

  async #list(path: string): Promise<string[]> {
    const names = await this.#translate(path, () =>
      readdir(this.#host(path), { withFileTypes: true, encoding: 'buffer' }),
    );
    return names.map((entry: Dirent<Buffer>) => {
      const name = entry.name.toString('utf8');
      if (!Buffer.from(name).equals(entry.name)) {
        const shown = path === '' ? name : `${path}/${name}`;
        throw LoamError.of('context.name-unsupported', { path: shown });
      }
      return name;
    });
  }

  async #linkTarget(path: string): Promise<string> {
    const target = await this.#translate(path, () => readlink(this.#host(path)));
    return sep === '/' ? target : target.replaceAll(sep, '/');
  }

  async #translate<T>(path: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      throw isLoamError(error) || !isCode(error) ? error : unreadable(path, error);
    }
  }

  #host(path: string): string {
    return join(this.#root, ...path.split('/'));
  }
}

function isCode(error: unknown, ...codes: string[]): error is NodeJS.ErrnoException {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return false;
  return codes.length === 0 || codes.includes(error.code);
}

function unreadable(path: string, error: unknown): LoamError {
  const reason = isCode(error, 'EACCES', 'EPERM')
    ? 'permission denied'
    : isCode(error, 'ENOENT')
      ? 'it is gone'
      : isCode(error, 'ELOOP')
        ? 'it became a link'
        : isCode(error)
          ? (error.code ?? 'unknown')
          : 'unknown';
  return LoamError.of('context.unreadable', { path: path || '.', reason }, { cause: error });
}
