import { closeSync, fstatSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export interface RotatingFileOptions {
  readonly directory: string;
  /** `agent` gives agent.log, and agent.1.log for the one before. */
  readonly name: string;
  /** No file gets larger, but while a reader holds one in its place; a line that alone is larger gets a file of its own. */
  readonly maxBytes: number;
  /** With the one that is written to. */
  readonly maxFiles: number;
}

/**
 * A log file of bounded size, across restarts too. A line is with the system when `write` has returned, so that the last
 * words of a process that dies are there. One process writes; a log that cannot be written never stops it.
 */
export class RotatingFile {
  readonly #options: RotatingFileOptions;
  #file: number | undefined;
  #sizeBytes = 0;
  #rotateAtBytes: number;

  constructor(options: RotatingFileOptions) {
    this.#options = options;
    this.#rotateAtBytes = options.maxBytes;
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    this.#open();
  }

  /** The file that is written to. */
  get path(): string {
    return this.#nameOf(0);
  }

  /** `line` ends with a newline. */
  write(line: string): void {
    try {
      const bytes = Buffer.from(line);
      if (this.#sizeBytes > 0 && this.#sizeBytes + bytes.length > this.#rotateAtBytes) this.#rotate();
      if (this.#file === undefined) this.#open();
      if (this.#file !== undefined) this.#sizeBytes += writeSync(this.#file, bytes);
    } catch {
      // A full disk: what the log would have said is lost, and the agent goes on.
    }
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #open(): void {
    this.#file = openSync(this.path, 'a', 0o600);
    this.#sizeBytes = fstatSync(this.#file).size;
  }

  #rotate(): void {
    this.close();
    this.#rotateAtBytes = this.#options.maxBytes;
    try {
      rmSync(this.#nameOf(this.#options.maxFiles - 1), { force: true });
      for (let index = this.#options.maxFiles - 2; index >= 0; index--) this.#makeOlder(index);
    } catch {
      // On Windows a reader can keep one in its place: the newest goes on for a while, and it is tried again.
      this.#rotateAtBytes = this.#sizeBytes + this.#options.maxBytes / 10;
    }
    this.#open();
  }

  #makeOlder(index: number): void {
    try {
      renameSync(this.#nameOf(index), this.#nameOf(index + 1));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  #nameOf(index: number): string {
    const { directory, name } = this.#options;
    return join(directory, index === 0 ? `${name}.log` : `${name}.${index}.log`);
  }
}
