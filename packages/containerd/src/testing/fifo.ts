import { execFile } from 'node:child_process';
import { constants, openSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';

export async function makeFifo(path: string): Promise<void> {
  await promisify(execFile)('mkfifo', [path]);
}

/** Makes a FIFO and gives all that is written to it, once its last writer has closed it. */
export async function readFifo(path: string): Promise<{ text: Promise<string> }> {
  await makeFifo(path);
  // Opened without waiting for a writer: a blocking open would hold one of libuv's few threads.
  const socket = new Socket({ fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK), readable: true });
  return { text: text(socket) };
}

/** Opens a FIFO as soon as somebody reads it: a shim opens its end in a thread of its own, and says that it has started before. */
export async function openForWriting(path: string): Promise<FileHandle> {
  for (;;) {
    try {
      return await open(path, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}
