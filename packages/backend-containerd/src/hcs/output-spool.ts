import { createWriteStream, type WriteStream } from 'node:fs';
import { open } from 'node:fs/promises';

import { removeFile } from '@loam/files';

const chunkBytes = 1 << 20;

/**
 * A process's output on its way through a file. Writing never waits, so the process is never held up (reference §5.2);
 * reading follows the writer, from any offset and as often as wanted, until the output has ended.
 */
export class OutputSpool {
  readonly #path: string;
  readonly #stream: WriteStream;
  readonly #waiting = new Set<() => void>();
  #written = 0;
  #ended = false;
  #failure: unknown;

  constructor(path: string) {
    this.#path = path;
    this.#stream = createWriteStream(path, { flags: 'wx', mode: 0o600 });
    this.#stream.on('error', (error) => this.fail(error));
  }

  write(bytes: Uint8Array): void {
    this.#stream.write(bytes, (error) => {
      if (error) return;
      this.#written += bytes.length;
      this.#tell();
    });
  }

  /** Nothing more comes. */
  end(): void {
    this.#stream.end(() => {
      this.#ended = true;
      this.#tell();
    });
  }

  /** Whoever reads on gets this error. */
  fail(error: unknown): void {
    this.#failure ??= error;
    this.#tell();
  }

  /** The bytes from `offset` on, as they come, up to `count` of them. */
  async *read(offset = 0, count = Number.POSITIVE_INFINITY): AsyncGenerator<Uint8Array, void> {
    const end = offset + count;
    let at = offset;
    while (at < end && this.#written <= at && (await this.#more()));
    if (at >= end || this.#written <= at) return;
    const handle = await open(this.#path, 'r').catch((error: unknown) => {
      throw this.#failure ?? error;
    });
    try {
      while (at < end) {
        const available = Math.min(end, this.#written) - at;
        if (available <= 0) {
          if (!(await this.#more())) return;
          continue;
        }
        const { bytesRead, buffer } = await handle.read(
          Buffer.allocUnsafe(Math.min(available, chunkBytes)),
          0,
          Math.min(available, chunkBytes),
          at,
        );
        at += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await handle.close();
    }
  }

  async remove(): Promise<void> {
    this.fail(new Error('the reader has been closed'));
    if (!this.#stream.closed) {
      await new Promise<void>((resolve) => {
        this.#stream.once('close', () => resolve());
        this.#stream.destroy();
      });
    }
    await removeFile(this.#path);
  }

  /** False when there will be nothing more. */
  async #more(): Promise<boolean> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#ended) return false;
    await new Promise<void>((resolve) => this.#waiting.add(resolve));
    return true;
  }

  #tell(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}
