import type { DeferredCleanup } from '../cleanup-queue.ts';

/** A run's place in a chain of runs that use one shim after another. */
export interface RelayPlace {
  /** Names the chain. */
  readonly group: string;
  /** The ended run whose task is there, with the shim, until the own one is; undefined for the first of a chain. */
  readonly predecessor: string | undefined;
  /** The run's own task is there, or will never be: the predecessor's may go. Idempotent. */
  arrived(): void;
  /** The run is over, and the deletion of its task waits for a successor. */
  leave(cleanup: DeferredCleanup): void;
  /**
   * The deletion of its task begins: from now on nobody succeeds it. Resolves when the predecessor's is gone, since a shim
   * whose last two tasks are deleted at once may end between them and leave the second deletion without an answer.
   */
  retire(): Promise<void>;
}

interface EndedRun {
  readonly id: string;
  readonly group: string;
  readonly cleanup: DeferredCleanup;
}

/**
 * Hands a shim from one run to the next one of the same build, which saves starting one for each step. A shim ends itself
 * with its last task, so a task is deleted only when its successor's is there; and one whose deletion has begun is never
 * succeeded, so no task is ever sent to a shim that is about to end. Runs at the same time are in different chains: a shim
 * has one live task.
 */
export class ShimRelay {
  readonly #waiting = new Map<string, Set<EndedRun>>();

  /** A place behind an ended run of that build, or the first one in a chain named `id`. */
  enter(build: string, id: string): RelayPlace {
    const predecessor = [...(this.#waiting.get(build) ?? [])].find(({ cleanup }) => cleanup.claim());
    if (predecessor) this.#forget(build, predecessor);
    const group = predecessor?.group ?? id;
    let own: EndedRun | undefined;
    return {
      group,
      predecessor: predecessor?.id,
      arrived: () => predecessor?.cleanup.begin(),
      leave: (cleanup) => {
        own = { id, group, cleanup };
        const waiting = this.#waiting.get(build) ?? new Set();
        this.#waiting.set(build, waiting.add(own));
      },
      retire: async () => {
        if (own) this.#forget(build, own);
        await predecessor?.cleanup.done;
      },
    };
  }

  #forget(build: string, ended: EndedRun): void {
    const waiting = this.#waiting.get(build);
    waiting?.delete(ended);
    if (waiting?.size === 0) this.#waiting.delete(build);
  }
}
