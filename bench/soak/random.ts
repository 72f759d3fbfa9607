/** Seeded randomness: a run's decisions are the same for the same seed, though the farm's answers come when they come. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** In [0, 1). Source: mulberry32, public domain. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of the items, by their weights. */
  pick<T>(items: readonly T[], weight: (item: T) => number = () => 1): T {
    let at = this.next() * items.reduce((sum, item) => sum + weight(item), 0);
    for (const item of items) {
      at -= weight(item);
      if (at < 0) return item;
    }
    return items.at(-1) as T;
  }

  /** A stream of its own, so that what one part draws does not shift the others. */
  fork(): Random {
    return new Random(Math.floor(this.next() * 2 ** 32));
  }
}
