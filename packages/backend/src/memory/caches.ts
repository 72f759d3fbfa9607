import { cancelled, LoamError, type Clock } from '@loam/base';

import type { CacheInfo, CacheMount, CacheRequest } from '../store.ts';
import { FileTree } from './file-tree.ts';

interface Slot {
  readonly directory: string;
  readonly tree: FileTree;
  users: number;
  exclusive: boolean;
  lastUsedAtMs: number;
}

/** The double's caches. The first directory of an id serves `shared` and `locked`; `private` takes any that is idle. */
export class MemoryCaches {
  readonly #clock: Clock;
  readonly #slots = new Map<string, Slot[]>();
  #waiting: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async acquire(request: CacheRequest, signal: AbortSignal): Promise<CacheMount> {
    for (;;) {
      if (signal.aborted) throw cancelled();
      const slot = this.#free(request);
      if (slot) return this.#take(slot, request.sharing !== 'shared');
      await this.#change(signal);
    }
  }

  #free(request: CacheRequest): Slot | undefined {
    const slots = this.#slots.get(request.id) ?? [];
    this.#slots.set(request.id, slots);
    const main = slots[0] ?? this.#make(request, slots);
    if (request.sharing === 'shared') return main.exclusive ? undefined : main;
    if (request.sharing === 'locked') return main.users > 0 ? undefined : main;
    return slots.find((slot) => slot.users === 0) ?? this.#make(request, slots);
  }

  #make(request: CacheRequest, slots: Slot[]): Slot {
    const meta = { ...request.owner, mode: request.mode, mtimeMs: this.#clock.now() };
    const slot: Slot = {
      directory: `memory-cache:/${request.id}#${slots.length}`,
      tree: new FileTree(meta),
      users: 0,
      exclusive: false,
      lastUsedAtMs: this.#clock.now(),
    };
    slots.push(slot);
    return slot;
  }

  #take(slot: Slot, exclusive: boolean): CacheMount {
    slot.users += 1;
    slot.exclusive = exclusive;
    slot.lastUsedAtMs = this.#clock.now();
    let released = false;
    return {
      directory: slot.directory,
      release: () => {
        if (!released) {
          released = true;
          slot.users -= 1;
          slot.exclusive = false;
          this.#wake();
        }
        return Promise.resolve();
      },
    };
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  list(): CacheInfo[] {
    return [...this.#slots].map(([id, slots]) => ({
      id,
      sizeBytes: slots.reduce((sum, slot) => sum + slot.tree.usage().sizeBytes, 0),
      lastUsedAtMs: Math.max(...slots.map((slot) => slot.lastUsedAtMs)),
    }));
  }

  remove(id: string): void {
    if (this.#slots.get(id)?.some((slot) => slot.users > 0)) throw LoamError.of('backend.cache-in-use', { id });
    this.#slots.delete(id);
  }

  /** The files behind `CacheMount.directory`. */
  tree(directory: string): FileTree | undefined {
    for (const slots of this.#slots.values()) {
      const slot = slots.find((other) => other.directory === directory);
      if (slot) return slot.tree;
    }
    return undefined;
  }

  inUse(): string[] {
    const used = [...this.#slots.values()].flat().filter((slot) => slot.users > 0);
    return used.map((slot) => `cache ${slot.directory}`);
  }

  /** What a crash does to holders: they are gone. */
  forgetUsers(): void {
    for (const slot of [...this.#slots.values()].flat()) {
      slot.users = 0;
      slot.exclusive = false;
    }
    this.#wake();
  }
}
