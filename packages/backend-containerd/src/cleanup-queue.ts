import type { Clock } from '@loam/base';

/** Clean-up that waits for its time. Whoever needs it done does not wait for that, but starts it. */
export interface DeferredCleanup {
  /** Takes the right to start it: nobody else does until `begin`, which must follow soon. False when it has begun already. */
  claim(): boolean;
  begin(): void;
  /** Resolves when it is over, however it went. */
  readonly done: Promise<void>;
}

interface Piece {
  readonly done: Promise<void>;
  /** Starts it unless somebody has claimed it, who will do so in a moment. */
  readonly hurry: () => void;
  hasBegun: boolean;
}

/**
 * Work that nobody waits for now, but that must be done before something else may happen: deleting the task and container of
 * a step that has ended. Failures are told to `warn` and not thrown: what stays is found by the next reconciliation.
 */
export class CleanupQueue {
  readonly #pending = new Map<string, Piece>();
  readonly #clock: Clock;
  readonly #warn: (what: string, error: unknown) => void;

  constructor(clock: Clock, warn: (what: string, error: unknown) => void) {
    this.#clock = clock;
    this.#warn = warn;
  }

  /** Does `work` at once. One key has one piece of work at most. */
  start(key: string, work: () => Promise<void>): void {
    this.defer(key, 0, work).begin();
  }

  /** Does `work` after `delayMs`, or as soon as somebody waits for it or begins it. */
  defer(key: string, delayMs: number, work: () => Promise<void>): DeferredCleanup {
    let open: () => void = () => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    let isClaimed = false;
    const begin = (): void => {
      cancelTimer();
      piece.hasBegun = true;
      open();
    };
    const hurry = (): void => {
      if (!isClaimed) begin();
    };
    const done = opened
      .then(work)
      .catch((error: unknown) => this.#warn(key, error))
      .finally(() => this.#pending.delete(key));
    const piece: Piece = { done, hurry, hasBegun: false };
    const cancelTimer = this.#clock.after(delayMs, hurry);
    this.#pending.set(key, piece);
    return {
      claim() {
        if (piece.hasBegun || isClaimed) return false;
        isClaimed = true;
        return true;
      },
      begin,
      done,
    };
  }

  /** Resolves when the work of that key is done, at once when there is none. */
  async settled(key: string): Promise<void> {
    const piece = this.#pending.get(key);
    piece?.hurry();
    await piece?.done;
  }

  /** Resolves when there is room for another piece of work. Keeps a fast producer from running away from a slow daemon. */
  async room(maxPending: number): Promise<void> {
    for (;;) {
      const begun = [...this.#pending.values()].filter((piece) => piece.hasBegun);
      if (begun.length < maxPending) return;
      await Promise.race(begun.map((piece) => piece.done));
    }
  }

  /** Resolves when nothing is left to do. */
  async drain(): Promise<void> {
    while (this.#pending.size > 0) {
      for (const piece of this.#pending.values()) piece.hurry();
      await Promise.all([...this.#pending.values()].map((piece) => piece.done));
    }
  }
}
