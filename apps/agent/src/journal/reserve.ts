import { statSync, writeFileSync } from 'node:fs';

import { removeFileSync, removeIfFree } from '@loam/files';

const reserveBytes = 256 * 1024;

/** A file that keeps some room, so that the last record of an attempt, which says that the disk is full, can be written. */
export class Reserve {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** Makes the file when it is not there. A disk too full for it is no error yet. */
  fill(): void {
    try {
      if (statSync(this.#file, { throwIfNoEntry: false })?.size === reserveBytes) return;
      writeFileSync(this.#file, Buffer.alloc(reserveBytes), { mode: 0o600 });
    } catch (error) {
      removeIfFree(this.#file);
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }

  /** Gives the room back to the file system; false when there is none kept. */
  spend(): boolean {
    if (!statSync(this.#file, { throwIfNoEntry: false })) return false;
    removeFileSync(this.#file);
    return true;
  }
}
