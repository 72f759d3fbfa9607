import type { Clock } from '@loam/base';

import type { Io } from '../io.ts';

const redrawMs = 250;

/** One line at the bottom of a terminal that is drawn again and again; without a terminal there is none. */
export class StatusLine {
  readonly #io: Io;
  readonly #clock: Clock;
  readonly #text: () => string;
  #shown = false;
  #cancelTimer: (() => void) | undefined;

  constructor(io: Io, clock: Clock, text: () => string) {
    this.#io = io;
    this.#clock = clock;
    this.#text = text;
    if (io.stdoutIsTerminal) this.#schedule();
  }

  /** Writes lines above it. */
  async write(text: string): Promise<void> {
    const clear = this.#shown ? '\r\u001b[K' : '';
    this.#shown = false;
    await this.#io.out(clear + text);
  }

  /** Takes it away for good. */
  async end(): Promise<void> {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#shown) await this.write('');
  }

  #schedule(): void {
    this.#cancelTimer = this.#clock.after(redrawMs, () => {
      const text = this.#text();
      if (text !== '' || this.#shown) {
        this.#shown = text !== '';
        void this.#io.out(`\r\u001b[K${text}`);
      }
      this.#schedule();
    });
  }
}
