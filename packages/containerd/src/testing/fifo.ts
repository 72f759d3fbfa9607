import { execFile } from 'node:child_process';
import { constants, openSync } from 'node:fs';
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
