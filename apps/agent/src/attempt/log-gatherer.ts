import type { Clock } from '@loam/base';
import type { StepLog } from '@loam/engine';

type Stream = StepLog['stream'];

/** How long a byte may wait for company. */
const maxDelayMs = 25;
const maxBytes = 32 * 1024;

/** Makes few larger log records of many small pieces. What is still gathered when the process is killed was never written down. */
export class LogGatherer {
  readonly #clock: Clock;
  readonly #write: (stream: Stream, offset: number, bytes: Uint8Array) => void;
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #stream: Stream = 'stdout';
  #offset = 0;
  #cancelTimer: (() => void) | undefined;

  constructor(clock: Clock, write: (stream: Stream, offset: number, bytes: Uint8Array) => void) {
    this.#clock = clock;
    this.#write = write;
  }

  add(stream: Stream, offset: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (stream !== this.#stream) this.flush();
    if (this.#bytes === 0) {
      this.#stream = stream;
      this.#offset = offset;
      this.#cancelTimer = this.#clock.after(maxDelayMs, () => this.flush());
    }
    this.#pieces.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes >= maxBytes) this.flush();
  }

  flush(): void {
    if (this.#bytes === 0) return;
    const bytes = this.#pieces.length === 1 ? this.#pieces[0] : Buffer.concat(this.#pieces, this.#bytes);
    this.discard();
    if (bytes) this.#write(this.#stream, this.#offset, bytes);
  }

  discard(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#pieces = [];
    this.#bytes = 0;
  }
}
