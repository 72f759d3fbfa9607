import { sleep, type Clock } from '@loam/base';
import { GrpcStatusError } from '@loam/containerd/testing';

/** A fault in one method. Without `times` it stays until it is lifted. */
export interface Fault {
  /** `Service.Method`, as in `Tasks.Create`; `*` is every method. */
  readonly method: string;
  readonly times?: number;
  /** Leaves that many calls alone first. */
  readonly skip?: number;
  readonly delayMs?: number;
  /** Fails the call before it has done anything. */
  readonly error?: { readonly code: number; readonly text: string };
  /** Called before the work, or after it and before the answer: may wait, throw, or end the daemon. */
  readonly before?: () => Promise<void> | void;
  readonly after?: () => Promise<void> | void;
}

interface Planted extends Fault {
  left: number;
  toSkip: number;
}

/** The faults that a test has planted, and the names of the calls that came in. */
export class Faults {
  /** `Service.Method` of every call so far, in order. */
  readonly calls: string[] = [];
  readonly #clock: Clock;
  readonly #planted = new Set<Planted>();
  readonly #afters = new Map<string, Planted[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Plants a fault; the returned function lifts it. */
  plant(fault: Fault): () => void {
    const planted = { ...fault, left: fault.times ?? Number.POSITIVE_INFINITY, toSkip: fault.skip ?? 0 };
    this.#planted.add(planted);
    return () => this.#planted.delete(planted);
  }

  async before(method: string): Promise<void> {
    this.calls.push(method);
    for (const fault of this.#planted) {
      if (fault.method !== method && fault.method !== '*') continue;
      if (fault.toSkip > 0) {
        fault.toSkip -= 1;
        continue;
      }
      fault.left -= 1;
      if (fault.left <= 0) this.#planted.delete(fault);
      if (fault.after) this.#afters.set(method, [...(this.#afters.get(method) ?? []), fault]);
      if (fault.delayMs !== undefined) await sleep(this.#clock, fault.delayMs);
      await fault.before?.();
      if (fault.error) throw new GrpcStatusError(fault.error.code, fault.error.text);
    }
  }

  async afterWork(method: string): Promise<void> {
    const fault = this.#afters.get(method)?.shift();
    await fault?.after?.();
  }
}
