import type { Clock } from '@loam/base';

import type { ContainerdProcess } from './containerd-process.ts';

export interface SupervisorOptions {
  /** Starts the daemon, or takes over the one that runs. */
  readonly start: () => Promise<ContainerdProcess>;
  readonly clock: Clock;
  /** It was gone and runs again, or did not start. */
  readonly onRestart: (outcome: { readonly pid: number } | { readonly error: unknown }) => void;
}

const lookEveryMs = 1000;
const tryAgainMs = 5000;

/**
 * Keeps a private containerd running: a daemon that crashed or was killed is started again. Steps outlive that under their
 * shims; what is asked of the daemon meanwhile fails, so whoever begins something waits for `ready` first.
 */
export class ContainerdSupervisor {
  readonly #options: SupervisorOptions;
  readonly #stopped = new AbortController();
  #daemon: ContainerdProcess;
  #starting: Promise<void> | undefined;
  #cancelLook: (() => void) | undefined;

  constructor(daemon: ContainerdProcess, options: SupervisorOptions) {
    this.#daemon = daemon;
    this.#options = options;
    this.#lookIn(lookEveryMs);
  }

  /** Resolves when the daemon runs, or could not be started: then the first call to it tells why. */
  ready(): Promise<void> {
    if (this.#stopped.signal.aborted || this.#daemon.isRunning()) return Promise.resolve();
    this.#starting ??= this.#startAgain().finally(() => (this.#starting = undefined));
    return this.#starting;
  }

  /** Lets the daemon be, as it is. */
  async release(): Promise<void> {
    this.#stopped.abort();
    this.#cancelLook?.();
    await this.#starting;
  }

  /** Ends the daemon. */
  async stop(): Promise<void> {
    await this.release();
    await this.#daemon.stop();
  }

  async #startAgain(): Promise<void> {
    try {
      this.#daemon = await this.#options.start();
      this.#options.onRestart({ pid: this.#daemon.pid });
    } catch (error) {
      this.#options.onRestart({ error });
    }
  }

  #lookIn(ms: number): void {
    this.#cancelLook = this.#options.clock.after(ms, () => {
      void this.ready().then(() => {
        if (!this.#stopped.signal.aborted) this.#lookIn(this.#daemon.isRunning() ? lookEveryMs : tryAgainMs);
      });
    });
  }
}
