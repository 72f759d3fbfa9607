export interface BackoffOptions {
  readonly firstMs: number;
  readonly maxMs: number;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
}

/** How long to wait before the next try: doubling, capped, and spread so that a whole farm does not come back at once. */
export class Backoff {
  readonly #options: BackoffOptions;
  #failures = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** Between half of and the whole of the step. */
  nextMs(): number {
    const { firstMs, maxMs, random } = this.#options;
    const stepMs = Math.min(maxMs, firstMs * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 30);
    return Math.round(stepMs * (0.5 + random() / 2));
  }

  reset(): void {
    this.#failures = 0;
  }
}
