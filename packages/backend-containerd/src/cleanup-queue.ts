/**
 * Work that nobody waits for now, but that must be done before something else may happen: deleting the task and container of
 * a step that has ended. Failures are told to `warn` and not thrown: what stays is found by the next reconciliation.
 */
export class CleanupQueue {
  readonly #pending = new Map<string, Promise<void>>();
  readonly #warn: (what: string, error: unknown) => void;

  constructor(warn: (what: string, error: unknown) => void) {
    this.#warn = warn;
  }

  /** Starts `work`. One key has one piece of work at most. */
  start(key: string, work: () => Promise<void>): void {
    const done = work()
      .catch((error: unknown) => this.#warn(key, error))
      .finally(() => this.#pending.delete(key));
    this.#pending.set(key, done);
  }

  /** Resolves when the work of that key is done, at once when there is none. */
  async settled(key: string): Promise<void> {
    await this.#pending.get(key);
  }

  /** Resolves when there is room for another piece of work. Keeps a fast producer from running away from a slow daemon. */
  async room(maxPending: number): Promise<void> {
    while (this.#pending.size >= maxPending) await Promise.race(this.#pending.values());
  }

  /** Resolves when nothing is left to do. */
  async drain(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending.values());
  }
}
