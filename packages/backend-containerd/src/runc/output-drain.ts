import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { openFifo } from './fifo-stdio.ts';

/**
 * Reads and throws away what is written to the FIFOs in a directory, which an agent left that was killed. A shim holds a reading
 * end of its own, so a FIFO that nobody empties blocks it, and it deletes a task only when all output has gone: containerd
 * 1.6 and 1.7 wait for that 2 seconds, 2.x 10 (process/init.go, `delete`). The returned function ends it.
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
