import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { openFifo } from './fifo-stdio.ts';

/**
 * Reads and throws away what is written to the FIFOs in a directory, which an agent left that was killed. A shim holds a reading
 * end of its own, so a FIFO that nobody empties blocks it, and before it deletes a task it waits for all output to be gone:
 * up to containerd 2.0 for 2 seconds, in 2.1.9 for 10 (process/init.go, `delete`). The returned function ends the reading.
 */
export async function drainOutput(directory: string): Promise<() => void> {
  const names = (await readdir(directory).catch(() => [])).filter((name) => /\.(out|err)$/.test(name));
  const readers = names.map((name) => {
    const reader = openFifo(join(directory, name));
    reader.on('error', () => reader.destroy());
    return reader.resume();
  });
  return () => {
    for (const reader of readers) reader.destroy();
  };
}
