import { isLoamError, LoamError, type Clock } from '@loam/base';
import type { Containerd, TaskExit } from '@loam/containerd';

import type { HostRun } from '../platform-driver.ts';
import { patiently } from './patience.ts';

export interface TerminationOptions {
  readonly client: Containerd;
  readonly clock: Clock;
  readonly id: string;
  readonly host: HostRun;
  readonly signal: AbortSignal;
  readonly timeoutMs: number | undefined;
  readonly killGraceMs: number;
  readonly killTimeoutMs: number;
}

const sigTerm = 15;
const sigKill = 9;

/**
 * Watches over the end of one task: lets it run, or ends it when the signal aborts or its time is up, first politely, then
 * with SIGKILL to everything in it. `exit` resolves only when no process of it is left; otherwise it throws
 * `backend.will-not-die`.
 */
export class Termination {
  reason: 'cancelled' | 'timed-out' | undefined;
  readonly #options: TerminationOptions;
  readonly #undo: (() => void)[] = [];
  readonly #refused: Promise<never>;
  #refuse: (error: unknown) => void = () => undefined;
  #exit: Promise<TaskExit> | undefined;
  #ending = false;
  #ended = false;

  constructor(options: TerminationOptions) {
    this.#options = options;
    this.#refused = new Promise((_, reject) => (this.#refuse = reject));
    this.#refused.catch(() => undefined);
  }

  /** Begins to watch a task that has been created and not started. */
  watch(): void {
    const { client, id, signal, clock, timeoutMs } = this.#options;
    this.#exit = patiently(clock, () => client.tasks.wait(id));
    this.#exit.then(
      () => (this.#ended = true),
      () => undefined,
    );
    const onAbort = (): void => this.#begin('cancelled');
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    this.#undo.push(() => signal.removeEventListener('abort', onAbort));
    if (timeoutMs !== undefined) this.#undo.push(clock.after(timeoutMs, () => this.#begin('timed-out')));
  }

  /** How the task ended. */
  async exit(): Promise<TaskExit> {
    if (this.#exit === undefined) throw new Error('no task is watched');
    const exit = await Promise.race([this.#exit, this.#refused]).catch((error: unknown) => {
      // Whether it still runs cannot be known.
      if (!isLoamError(error, 'containerd.unavailable')) throw error;
      throw LoamError.of('backend.will-not-die', {}, { cause: error });
    });
    // The first process of a PID namespace is reaped only after all others in it are gone (pid_namespaces(7)); this is
    // the proof that the namespace was its own.
    if (await this.#options.host.processesLeft()) await this.#killAll();
    if (await this.#options.host.processesLeft()) throw LoamError.of('backend.will-not-die', {});
    return exit;
  }

  /** After a failure: kills what there is and waits until it is gone. */
  async ensureDead(): Promise<void> {
    if (this.#ended || this.#exit === undefined) return;
    this.stop();
    await Promise.race([this.#exit.catch(() => undefined), this.#refused]);
  }

  /** Kills it at once, with no reason of its own. */
  stop(): void {
    if (this.#ending || this.#ended) return;
    this.#ending = true;
    void this.#kill();
  }

  /** Stops watching. */
  end(): void {
    for (const undo of this.#undo.splice(0)) undo();
  }

  #begin(reason: 'cancelled' | 'timed-out'): void {
    if (this.#ending || this.#ended) return;
    this.#ending = true;
    this.reason = reason;
    const { clock, killGraceMs } = this.#options;
    // To the first process only: a shell whose child is ended would go on with its next command.
    void this.#send(sigTerm, false);
    this.#undo.push(clock.after(killGraceMs, () => void this.#kill()));
  }

  async #kill(): Promise<void> {
    const { clock, killTimeoutMs } = this.#options;
    this.#undo.push(
      clock.after(killTimeoutMs, () => {
        if (!this.#ended) this.#refuse(LoamError.of('backend.will-not-die', {}));
      }),
    );
    await this.#killAll();
  }

  async #killAll(): Promise<void> {
    await this.#send(sigKill, true);
  }

  /** A signal to the first process, or everything in the container; what has gone already is well. */
  async #send(signalNumber: number, all: boolean): Promise<void> {
    const { client, clock, id } = this.#options;
    try {
      await patiently(clock, async () => {
        if (!this.#ended) await client.tasks.kill(id, signalNumber, { all });
      });
    } catch (error) {
      const isGone = isLoamError(error, 'containerd.not-found', 'containerd.failed-precondition');
      if (isGone || isLoamError(error, 'containerd.task-failed')) return;
      if (signalNumber === sigKill) this.#refuse(LoamError.of('backend.will-not-die', {}, { cause: error }));
    }
  }
}
