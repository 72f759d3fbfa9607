import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import type { ResolvedPath } from '@loam/backend';
import type { ProgramTree } from '@loam/backend/memory';

/** A directory or file of the machine that the model runs on: what a mount of the container shows. */
export class HostTree implements ProgramTree {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  resolve(path: string): ResolvedPath {
    const stats = statSync(this.#at(path), { throwIfNoEntry: false });
    if (!stats) return { path, entry: undefined };
    const base = { path, uid: 0, gid: 0, mode: stats.mode & 0o7777, mtimeMs: stats.mtimeMs };
    if (stats.isDirectory()) return { path, entry: { kind: 'directory', ...base } };
    const host = this.#at(path);
    return {
      path,
      entry: {
        kind: 'file',
        sizeBytes: stats.size,
        async *open() {
          await Promise.resolve();
          if (stats.size > 0) yield new Uint8Array(readFileSync(host));
        },
        ...base,
      },
    };
  }

  readFile(path: string): Uint8Array | undefined {
    const isFile = statSync(this.#at(path), { throwIfNoEntry: false })?.isFile() === true;
    return isFile ? new Uint8Array(readFileSync(this.#at(path))) : undefined;
  }

  writeFile(path: string, content: Uint8Array | string): void {
    writeFileSync(this.#at(path), content);
  }

  makeDirectories(path: string): void {
    mkdirSync(this.#at(path), { recursive: true });
  }

  remove(path: string): void {
    rmSync(this.#at(path), { recursive: true, force: true });
  }

  change(path: string, meta: { mode?: number; mtimeMs?: number }): boolean {
    if (lstatSync(this.#at(path), { throwIfNoEntry: false }) === undefined) return false;
    if (meta.mode !== undefined) chmodSync(this.#at(path), meta.mode);
    if (meta.mtimeMs !== undefined) utimesSync(this.#at(path), meta.mtimeMs / 1000, meta.mtimeMs / 1000);
    return true;
  }

  symlink(path: string, target: string): void {
    symlinkSync(target, this.#at(path));
  }

  link(path: string, target: string): void {
    linkSync(this.#at(target), this.#at(path));
  }

  #at(path: string): string {
    return path === '' ? this.#root : join(this.#root, path);
  }
}
