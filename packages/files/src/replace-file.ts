import { renameSync } from 'node:fs';
import { rename } from 'node:fs/promises';

import { untilFree, untilFreeSync } from './until-free.ts';

/** Renames a file or directory, over the file that may be there. On Windows it waits about a second for whoever has one open. */
export function replaceFile(from: string, to: string): Promise<void> {
  return untilFree(() => rename(from, to));
}

/** `replaceFile` for callers that cannot wait otherwise: the thread stands still meanwhile. */
export function replaceFileSync(from: string, to: string): void {
  untilFreeSync(() => renameSync(from, to));
}
