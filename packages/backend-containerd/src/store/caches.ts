import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { CacheInfo, CacheMount, CacheRequest, Owner } from '@loam/backend';
import { cancelled, LoamError, type Clock } from '@loam/base';
import { removeTree, replaceFile } from '@loam/files';

import { directorySize } from './directory-size.ts';

export interface CachesOptions {
  readonly directory: string;
  readonly clock: Clock;
  readonly makeDirectory: (directory: string, owner: Owner, mode: number) => Promise<void>;
}

interface CacheState {
  readonly id: string;
  readonly directory: string;
  /** Users of each directory of this cache, by its number. */
  readonly users: Map<number, number>;
  /** The step that has it for itself, and those that wait. */
  locked: boolean;
  readonly waiting: (() => void)[];
}

/** Digits of the directory that `shared` and `locked` use, and `private` as long as it is free. */
const main = 0;

/**
 * Directories that outlive steps. On disk: one directory per cache, named by the hash of its id, with `id`, `used` (its
 * modification time is the last use) and the numbered directories that are mounted. Locks are in memory: one agent process
 * has the state directory (see agent-lock.ts).
 */
export class Caches {
  readonly #options: CachesOptions;
  readonly #states = new Map<string, CacheState>();
  /** Orders what makes and removes directories. */
  #changes: Promise<unknown> = Promise.resolve();

  constructor(options: CachesOptions) {
    this.#options = options;
  }

  async acquire(request: CacheRequest, signal: AbortSignal): Promise<CacheMount> {
    if (signal.aborted) throw cancelled();
    const state = this.#state(request.id);
    if (request.sharing === 'locked') await this.#lock(state, signal);
    const number = request.sharing === 'private' ? firstFree(state) : main;
    state.users.set(number, (state.users.get(number) ?? 0) + 1);
    const release = once(async () => {
      state.users.set(number, (state.users.get(number) ?? 1) - 1);
      if (request.sharing === 'locked') unlock(state);
      await this.#touch(state).catch((error: unknown) => {
        // From here on others may remove the cache.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      });
    });
    try {
      const directory = join(state.directory, String(number));
      await this.#serialised(() => this.#ensure(state, directory, request));
      return { directory, release };
    } catch (error) {
      await release();
      throw error;
    }
  }

  async list(): Promise<CacheInfo[]> {
    const names = await readdir(this.#options.directory).catch(() => []);
    const infos = await Promise.all(
      names
        .filter((name) => /^[0-9a-f]{64}$/.test(name))
        .map((name) => this.#info(join(this.#options.directory, name))),
    );
    return infos.filter((info) => info !== undefined);
  }

  async remove(id: string): Promise<void> {
    const state = this.#state(id);
    if (inUse(state)) throw LoamError.of('backend.cache-in-use', { id });
    await this.#serialised(async () => {
      if (inUse(state)) throw LoamError.of('backend.cache-in-use', { id });
      const doomed = join(this.#options.directory, `removed-${hash(id)}`);
      await removeTree(doomed);
      try {
        await replaceFile(state.directory, doomed);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
      await removeTree(doomed);
    });
  }

  /** The caches that a step uses now. */
  inUse(): string[] {
    return [...this.#states.values()].filter(inUse).map(({ id }) => id);
  }

  #state(id: string): CacheState {
    let state = this.#states.get(id);
    if (state === undefined) {
      const directory = join(this.#options.directory, hash(id));
      state = { id, directory, users: new Map(), locked: false, waiting: [] };
      this.#states.set(id, state);
    }
    return state;
  }

  async #lock(state: CacheState, signal: AbortSignal): Promise<void> {
    if (!state.locked) {
      state.locked = true;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const granted = (): void => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      const onAbort = (): void => {
        state.waiting.splice(state.waiting.indexOf(granted), 1);
        reject(cancelled());
      };
      state.waiting.push(granted);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  async #ensure(state: CacheState, directory: string, { owner, mode, id }: CacheRequest): Promise<void> {
    await mkdir(state.directory, { recursive: true, mode: 0o711 });
    await writeFile(join(state.directory, 'id'), id);
    await this.#touch(state);
    try {
      await stat(directory);
    } catch {
      // Made under another name first, so that a crash cannot leave one with the wrong owner.
      const fresh = `${directory}.new`;
      await removeTree(fresh);
      await this.#options.makeDirectory(fresh, owner, mode);
      await replaceFile(fresh, directory);
    }
  }

  async #touch(state: CacheState): Promise<void> {
    await writeFile(join(state.directory, 'used'), new Date(this.#options.clock.now()).toISOString());
  }

  async #info(directory: string): Promise<CacheInfo | undefined> {
    const id = await readFile(join(directory, 'id'), 'utf8').catch(() => undefined);
    if (id === undefined) return undefined;
    const used = Date.parse(await readFile(join(directory, 'used'), 'utf8').catch(() => ''));
    const names = await readdir(directory).catch(() => undefined);
    // Removed while we looked.
    if (names === undefined) return undefined;
    const numbers = names.filter((name) => /^[0-9]+$/.test(name));
    const sizes = await Promise.all(numbers.map((name) => directorySize(join(directory, name))));
    return { id, sizeBytes: sizes.reduce((sum, size) => sum + size, 0), lastUsedAtMs: Number.isNaN(used) ? 0 : used };
  }

  async #serialised<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#changes.then(work);
    this.#changes = result.catch(() => undefined);
    return result;
  }
}

function firstFree(state: CacheState): number {
  for (let number = main; ; number++) {
    if ((state.users.get(number) ?? 0) === 0) return number;
  }
}

function inUse(state: CacheState): boolean {
  return state.locked || [...state.users.values()].some((users) => users > 0);
}

function unlock(state: CacheState): void {
  const next = state.waiting.shift();
  if (next === undefined) state.locked = false;
  else next();
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= work());
}

function hash(id: string): string {
  return createHash('sha256').update(id).digest('hex');
}
