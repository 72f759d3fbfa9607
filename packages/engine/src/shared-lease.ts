import type { Lease, Store } from '@loam/backend';

/**
 * The lease of a build, taken when it is first needed: a build of hits alone writes nothing. It is released when the build
 * and every execution that it started are over, since another build may have taken an execution over.
 */
export class SharedLease {
  readonly #store: Store;
  readonly #owner: string;
  #lease: Promise<Lease> | undefined;
  #holders = 1;

  constructor(store: Store, owner: string) {
    this.#store = store;
    this.#owner = owner;
  }

  /** Holds the lease for as long as `use` takes. */
  async hold<T>(use: (lease: Lease) => Promise<T>): Promise<T> {
    this.#holders += 1;
    try {
      this.#lease ??= this.#store.lease(this.#owner);
      return await use(await this.#lease);
    } finally {
      await this.release();
    }
  }

  /** Called once by the build itself, at its end. */
  async release(): Promise<void> {
    this.#holders -= 1;
    if (this.#holders > 0 || !this.#lease) return;
    const lease = await this.#lease.catch(() => undefined);
    await lease?.release();
  }
}
