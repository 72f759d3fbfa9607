import { execFile } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  utimesSync,
  write,
  writeSync,
  type Stats,
} from 'node:fs';
import { promisify } from 'node:util';

import type { DeviceEntry, FileEntry, TreeEntry } from '@loam/backend';
import { cancelled } from '@loam/base';

import type { LayerWrite } from '../platform-driver.ts';

const run = promisify(execFile);
const writeAsync = promisify(write);
/** Chunks up to this size are written at once: a trip to the thread pool would take longer. */
const writeAtOnceBytes = 64 * 1024;
const maxBlockingMs = 10;

/**
 * Writes a layer's entries into a file tree that is mounted at `root`, as unpacking its tar would. Calls are synchronous,
 * because for small files the way to the thread pool and back costs more than the call; the event loop gets its turn every
 * few milliseconds. No path leads through a symbolic link: every parent is seen to be a directory first, and nobody else
 * changes a working snapshot meanwhile.
 */
export class LayerWriter {
  readonly #root: string;
  readonly #layer: LayerWrite;
  /** Directories that are known to be directories, and when each was modified as far as the layer is concerned. */
  readonly #directories = new Map<string, number>();
  #bytes = 0;
  #turnBegan = performance.now();

  constructor(root: string, layer: LayerWrite) {
    this.#root = root;
    this.#layer = layer;
  }

  async write(): Promise<void> {
    for await (const entry of this.#layer.entries) {
      this.#checkAborted();
      await this.#one(entry);
      if (performance.now() - this.#turnBegan > maxBlockingMs) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        this.#turnBegan = performance.now();
      }
    }
    // Writing into a directory changes its time, so times come last, and children before their parents.
    for (const [path, seconds] of [...this.#directories].toReversed()) utimesSync(this.#host(path), seconds, seconds);
  }

  async #one(entry: TreeEntry): Promise<void> {
    const host = this.#host(entry.path);
    const seconds = Math.floor(entry.mtimeMs / 1000);
    this.#enter(entry.path);
    switch (entry.kind) {
      case 'directory':
        this.#directory(entry.path, host);
        chownSync(host, entry.uid, entry.gid);
        chmodSync(host, entry.mode);
        this.#directories.delete(entry.path);
        this.#directories.set(entry.path, seconds);
        return;
      case 'file':
        await this.#file(entry, host, seconds);
        return;
      case 'symlink':
        replacing(host, () => symlinkSync(entry.target, host));
        lchownSync(host, entry.uid, entry.gid);
        lutimesSync(host, seconds, seconds);
        return;
      case 'hardlink':
        this.#enter(entry.target);
        replacing(host, () => linkSync(this.#host(entry.target), host));
        return;
      default:
        await this.#device(entry, host, seconds);
    }
  }

  #directory(path: string, host: string): void {
    if (path === '') return;
    const stats = lstatOrUndefined(host);
    if (stats?.isDirectory() === true) return;
    if (stats !== undefined) rmSync(host);
    mkdirSync(host);
  }

  async #file(entry: FileEntry, host: string, seconds: number): Promise<void> {
    const fd = replacing(host, () => openSync(host, 'wx', 0o600));
    try {
      let size = 0;
      for await (const chunk of entry.open()) {
        this.#checkAborted();
        size += chunk.length;
        if (size > entry.sizeBytes) break;
        for (let at = 0; at < chunk.length;) {
          const rest = chunk.length - at;
          at +=
            rest <= writeAtOnceBytes
              ? writeSync(fd, chunk, at)
              : (await writeAsync(fd, chunk, at, rest, null)).bytesWritten;
        }
        this.#bytes += chunk.length;
        this.#layer.onProgress?.(this.#bytes);
      }
      if (size !== entry.sizeBytes) throw new Error(`${entry.path}: its size changed while it was read`);
      fchownSync(fd, entry.uid, entry.gid);
      // After the owner, whose change would take set-id bits away.
      fchmodSync(fd, entry.mode);
      futimesSync(fd, seconds, seconds);
    } finally {
      closeSync(fd);
    }
  }

  async #device(entry: DeviceEntry, host: string, seconds: number): Promise<void> {
    const type = { fifo: 'p', 'character-device': 'c', 'block-device': 'b' }[entry.kind];
    const numbers = entry.kind === 'fifo' ? [] : [String(entry.major), String(entry.minor)];
    rmSync(host, { recursive: true, force: true });
    await run('mknod', ['-m', '600', '--', host, type, ...numbers]);
    chownSync(host, entry.uid, entry.gid);
    chmodSync(host, entry.mode);
    utimesSync(host, seconds, seconds);
  }

  /** Sees that every parent of a path is a directory, and remembers its time. */
  #enter(path: string): void {
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      this.#known(path.slice(0, slash));
    }
    this.#known('');
  }

  #known(path: string): void {
    if (this.#directories.has(path)) return;
    if (path.split('/').includes('..')) throw new Error(`${path} leads out of the layer`);
    const stats = lstatSync(this.#host(path));
    if (!stats.isDirectory()) throw new Error(`${path} is not a directory`);
    this.#directories.set(path, stats.mtimeMs / 1000);
  }

  #checkAborted(): void {
    if (this.#layer.signal?.aborted === true) throw cancelled();
  }

  #host(path: string): string {
    return path === '' ? this.#root : `${this.#root}/${path}`;
  }
}

/** Does what makes a new file, after removing what stands in its place. */
function replacing<T>(host: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    rmSync(host, { recursive: true });
    return make();
  }
}

function lstatOrUndefined(host: string): Stats | undefined {
  return lstatSync(host, { throwIfNoEntry: false });
}
