import type { Clock } from '@loam/base';

import type { QueueLogger } from './logger.ts';

/** After how many milliseconds the same is told again. */
const againMs = 60_000;

interface Told {
  at: number;
  /** How often it was kept quiet since. */
  untold: number;
}

/**
 * What connections to the queue's server complain of. While it is away all of them say the same, several times a second: the
 * log hears it once, then once a minute, and at last that the server is back.
 */
export class Complaints {
  readonly #clock: Clock;
  readonly #logger: QueueLogger;
  readonly #told = new Map<string, Told>();

  constructor(clock: Clock, logger: QueueLogger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /** What listens to the errors of one connection. */
  listener(message: string, details: object = {}): (error: Error) => void {
    return (error) => {
      const { code = error.message } = error as { code?: string };
      const at = this.#clock.monotonic();
      const told = this.#told.get(code);
      if (told !== undefined && at - told.at < againMs) {
        told.untold++;
        return;
      }
      const untold = told?.untold ?? 0;
      this.#logger.warn({ err: error, ...details, ...(untold > 0 && { untold }) }, message);
      for (const [earlier, old] of this.#told) if (at - old.at >= againMs) this.#told.delete(earlier);
      this.#told.set(code, { at, untold: 0 });
    };
  }

  /** The server is there again: what is complained of from now on is new. */
  end(): void {
    this.#told.clear();
    this.#logger.info({}, 'the server of the queue is back');
  }
}
