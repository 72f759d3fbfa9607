import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Mount, SecretFile } from '@loam/backend';
import { removeTree } from '@loam/files';

import { privateDirectoryArguments, secretFileArguments } from './access-control.ts';
import type { HostCommand } from './host-command.ts';

/**
 * Secrets as files that are mounted read-only. Windows containers have no tmpfs (reference §4.4), so they lie in a directory
 * that only SYSTEM and administrators may enter, one below it for each run, and are removed with the run.
 */
export class SecretDirectory {
  readonly #directory: string;
  readonly #run: HostCommand;
  #made: Promise<void> | undefined;

  constructor(directory: string, run: HostCommand) {
    this.#directory = directory;
    this.#run = run;
  }

  async write(runId: string, secrets: readonly SecretFile[], username: string): Promise<Mount[]> {
    if (secrets.length === 0) return [];
    await (this.#made ??= this.#make());
    const directory = join(this.#directory, runId);
    await mkdir(directory, { mode: 0o700 });
    const mounts: Mount[] = [];
    for (const [index, { target, value }] of secrets.entries()) {
      const source = join(directory, String(index));
      // Restricted while it is still empty.
      await writeFile(source, '', { mode: 0o600, flag: 'wx' });
      await this.#run('icacls', secretFileArguments(source, username));
      await writeFile(source, value);
      mounts.push({ source, target, readonly: true });
    }
    return mounts;
  }

  async remove(runId: string): Promise<void> {
    await removeTree(join(this.#directory, runId));
  }

  async removeAll(): Promise<void> {
    this.#made = undefined;
    await removeTree(this.#directory);
  }

  /** The runs that have secrets now. */
  async list(): Promise<string[]> {
    return readdir(this.#directory).catch(() => []);
  }

  async #make(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    await this.#run('icacls', privateDirectoryArguments(this.#directory));
  }
}
