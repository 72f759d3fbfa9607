import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const batch = 12;
const refillBelow = 4;

/** Three FIFOs for one process. */
export interface Fifos {
  readonly stdin: string;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * FIFOs made ahead of their use. Node cannot make them itself, and starting mkfifo(1) for each run would cost more than
 * many a run. Those that have been used are deleted, not used again: whoever still holds one open could mix two runs.
 */
export class FifoPool {
  readonly #directory: string;
  readonly #ready: Fifos[] = [];
  #refilling: Promise<void> | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async take(): Promise<Fifos> {
    for (;;) {
      const fifos = this.#ready.pop();
      if (this.#ready.length < refillBelow) void this.#refill().catch(() => undefined);
      if (fifos !== undefined) return fifos;
      await this.#refill();
    }
  }

  async discard(fifos: Fifos): Promise<void> {
    await Promise.all([fifos.stdin, fifos.stdout, fifos.stderr].map((path) => rm(path, { force: true })));
  }

  async close(): Promise<void> {
    await this.#refilling?.catch(() => undefined);
    this.#ready.length = 0;
    await rm(this.#directory, { recursive: true, force: true });
  }

  #refill(): Promise<void> {
    this.#refilling ??= this.#make().finally(() => (this.#refilling = undefined));
    return this.#refilling;
  }

  async #make(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const made = Array.from({ length: batch }, (): Fifos => {
      const stem = join(this.#directory, randomUUID());
      return { stdin: `${stem}.in`, stdout: `${stem}.out`, stderr: `${stem}.err` };
    });
    await run('mkfifo', ['-m', '600', ...made.flatMap(({ stdin, stdout, stderr }) => [stdin, stdout, stderr])]);
    this.#ready.push(...made);
  }
}
