import { renameSync } from 'node:fs';

const attempts = 20;
const pauseMs = 50;
const busyCodes: ReadonlySet<string | undefined> = new Set(['EPERM', 'EACCES', 'EBUSY']);

/**
 * `replaceFile` of the back end for callers that cannot wait otherwise: renames over what may be there, and on Windows, where
 * that is refused while somebody has the file open, tries again for a second. The thread stands still meanwhile.
 */
export function replaceFileSync(from: string, to: string): void {
  for (let attempt = 1; ; attempt++) {
    try {
      renameSync(from, to);
      return;
    } catch (error) {
      const mayPass = process.platform === 'win32' && busyCodes.has((error as NodeJS.ErrnoException).code);
      if (!mayPass || attempt === attempts) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs);
    }
  }
}
