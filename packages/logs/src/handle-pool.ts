import type { FileHandle } from 'node:fs/promises';
import { sep } from 'node:path';

import type { SegmentFile } from './segment-files.ts';

interface Entry {
  readonly handle: Promise<FileHandle>;
  users: number;
}

/**
 * Keeps the segments that were written last open. At most `capacity` are open at any time, those in use included: work on
 * more of them waits.
 */
export class HandlePool {
  readonly #capacity: number;
  readonly #open: (directory: string, segment: SegmentFile) => Promise<FileHandle>;
  /** In order of last use. */
  readonly #entries = new Map<string, Entry>();
  #busy = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(capacity: number, open: (directory: string, segment: SegmentFile) => Promise<FileHandle>) {
    this.#capacity = capacity;
    this.#open = open;
  }

  /** Calls `work` with the segment's handle, which stays open while it runs. */
  async use<T>(directory: string, segment: SegmentFile, work: (handle: FileHandle) => Promise<T>): Promise<T> {
    if (this.#busy >= this.#capacity) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#busy++;
    try {
      return await this.#use(directory, segment, work);
    } finally {
      // A slot goes straight to who waits longest.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#busy--;
    }
  }

  async #use<T>(directory: string, segment: SegmentFile, work: (handle: FileHandle) => Promise<T>): Promise<T> {
    let entry = this.#entries.get(segment.path);
    if (entry) this.#entries.delete(segment.path);
    else {
      await this.#shrink(this.#capacity - 1);
      // Another caller may have opened it meanwhile.
      entry = this.#entries.get(segment.path) ?? { handle: this.#open(directory, segment), users: 0 };
    }
    this.#entries.set(segment.path, entry);
    entry.users++;
    try {
      return await work(await entry.handle);
    } catch (error) {
      // A handle that failed once is not trusted again.
      if (this.#entries.get(segment.path) === entry) this.#entries.delete(segment.path);
      throw error;
    } finally {
      entry.users--;
      if (entry.users === 0 && this.#entries.get(segment.path) !== entry) await close(entry);
    }
  }

  /** Closes what is open of a directory; who uses it finishes first. */
  async release(directory: string): Promise<void> {
    for (const [path, entry] of this.#entries) {
      if (!path.startsWith(`${directory}${sep}`)) continue;
      this.#entries.delete(path);
      if (entry.users === 0) await close(entry);
    }
  }

  async #shrink(size: number): Promise<void> {
    for (const [path, entry] of this.#entries) {
      if (this.#entries.size <= size) return;
      if (entry.users > 0) continue;
      this.#entries.delete(path);
      await close(entry);
    }
  }
}

async function close(entry: Entry): Promise<void> {
  const handle = await entry.handle.catch(() => undefined);
  await handle?.close();
}
