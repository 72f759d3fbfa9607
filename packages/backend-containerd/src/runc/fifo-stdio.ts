import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';

import type { OutputStream } from '@loam/backend';

import type { Stdio } from '../platform-driver.ts';
import type { FifoPool, Fifos } from './fifo-pool.ts';

/** Standard streams over FIFOs (reference §5.3). Both ends of output are opened by the shim, so it ends when the shim closes them. */
export class FifoStdio implements Stdio {
  readonly stdin: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** The shim keeps a writing end of its own open (reference §5.3). */
  readonly inputEndsByCloseIO = true;
  readonly ended: Promise<void>;
  readonly #pool: FifoPool;
  readonly #fifos: Fifos;
  readonly #readers: readonly Socket[];
  #writer: Socket | undefined;

  constructor(
    pool: FifoPool,
    fifos: Fifos,
    withStdin: boolean,
    onOutput: (stream: OutputStream, bytes: Uint8Array) => void,
  ) {
    this.#pool = pool;
    this.#fifos = fifos;
    this.stdin = withStdin ? fifos.stdin : undefined;
    this.stdout = fifos.stdout;
    this.stderr = fifos.stderr;
    const readers = [openFifo(fifos.stdout), openFifo(fifos.stderr)] as const;
    readers[0].on('data', (bytes: Buffer) => onOutput('stdout', bytes));
    readers[1].on('data', (bytes: Buffer) => onOutput('stderr', bytes));
    this.#readers = readers;
    this.ended = Promise.all(readers.map(closed)).then(() => undefined);
    // Opened for both so that it opens although nobody reads yet; nothing is ever read from it here.
    if (withStdin) {
      const fd = openSync(fifos.stdin, constants.O_RDWR | constants.O_NONBLOCK);
      this.#writer = new Socket({ fd, readable: false, writable: true });
      this.#writer.on('error', () => this.#writer?.destroy());
    }
  }

  async write(bytes: Uint8Array): Promise<boolean> {
    const writer = this.#writer;
    if (writer === undefined || writer.destroyed) return false;
    if (writer.write(bytes)) return true;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        writer.off('drain', done);
        writer.off('close', done);
        resolve();
      };
      writer.on('drain', done);
      writer.on('close', done);
    });
    return !writer.destroyed;
  }

  async endInput(): Promise<void> {
    const writer = this.#writer;
    if (writer === undefined || writer.destroyed) return;
    await new Promise<void>((resolve) => {
      writer.once('close', () => resolve());
      writer.end(() => writer.destroy());
    });
  }

  async close(): Promise<void> {
    this.#writer?.destroy();
    for (const reader of this.#readers) reader.destroy();
    await this.#pool.discard(this.#fifos);
  }
}

/** The reading end of a FIFO; does not wait for anybody who writes. */
export function openFifo(path: string): Socket {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return new Socket({ fd, readable: true, writable: false });
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.on('error', () => socket.destroy());
    socket.on('close', () => resolve());
  });
}
