import { createHash } from 'node:crypto';
import { chmod, chown, lstat, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { SecretFile } from '@loam/backend';

import type { BindMount } from './runc-spec.ts';

/**
 * Secrets as files in memory: a directory on tmpfs that only root may enter, one below it for each run, removed with the
 * run. The container sees each file through a bind mount, so what lies above it on the host does not matter to the reader.
 */
export class SecretFiles {
  readonly #directory: string;

  constructor(identity: string, tmpfs = '/dev/shm') {
    this.#directory = join(tmpfs, `loam-secrets-${createHash('sha256').update(identity).digest('hex').slice(0, 16)}`);
  }

  async write(
    runId: string,
    secrets: readonly SecretFile[],
    owner: { uid: number; gid: number },
  ): Promise<BindMount[]> {
    if (secrets.length === 0) return [];
    await this.#ensureDirectory();
    const directory = join(this.#directory, runId);
    await mkdir(directory, { mode: 0o700 });
    const binds: BindMount[] = [];
    for (const [index, { target, value }] of secrets.entries()) {
      const source = join(directory, String(index));
      await writeFile(source, value, { mode: 0o400, flag: 'wx' });
      await chown(source, owner.uid, owner.gid);
      binds.push({ source, target, readonly: true, inert: true });
    }
    return binds;
  }

  async remove(runId: string): Promise<void> {
    await rm(join(this.#directory, runId), { recursive: true, force: true });
  }

  async removeAll(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** The runs that have secrets now. */
  async list(): Promise<string[]> {
    return readdir(this.#directory).catch(() => []);
  }

  /** /dev/shm is open to everybody: a directory that somebody else made under our name must not be used. */
  async #ensureDirectory(): Promise<void> {
    try {
      await mkdir(this.#directory, { mode: 0o700 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const stats = await lstat(this.#directory);
      if (!stats.isDirectory() || stats.uid !== process.getuid?.()) {
        throw new Error(`${this.#directory} belongs to somebody else`, { cause: error });
      }
      await chmod(this.#directory, 0o700);
    }
  }
}
