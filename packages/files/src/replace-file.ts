import { renameSync } from 'node:fs';
import { rename } from 'node:fs/promises';

import { patiently, patientlySync } from './patience.ts';

/** Renames a file or directory, over the file that may be there. On Windows it waits about a second for whoever has one open. */
export function replaceFile(from: string, to: string): Promise<void> {
  return patiently(() => rename(from, to));
}

/** `replaceFile` for callers that cannot wait otherwise: the thread stands still meanwhile. */
export function replaceFileSync(from: string, to: string): void {
  patientlySync(() => renameSync(from, to));
}
