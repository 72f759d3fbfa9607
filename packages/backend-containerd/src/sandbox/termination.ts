import { isLoamError, LoamError, type Clock } from '@loam/base';
import type { Containerd, TaskExit } from '@loam/containerd';

import type { HostRun } from '../platform-driver.ts';
import { untilContainerdAnswers } from '../until-containerd-answers.ts';

export interface TerminationOptions {
  readonly client: Containerd;
  readonly clock: Clock;
  readonly id: string;
  /** Asked by `exit`; without it nothing is left of a container whose task has ended. */
  readonly host?: Pick<HostRun, 'processesLeft'>;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number | undefined;
  /** Between the polite signal and the kill, when the signal aborts or the time is up. */
  readonly killGraceMs?: number;
  readonly killTimeoutMs: number;
  /** Ends the container by other means than the runtime's, where there are any. */
  readonly lastResort?: ((id: string) => Promise<void>) | undefined;
}

const sigTerm = 15;
const sigKill = 9;
/** How long the end by other means may take to show. */
const lastResortMs = 30_000;

/**
 * Watches over the end of one task: lets it run, or ends it when the signal aborts or its time is up, first politely, then
 * with SIGKILL to everything in it, at last by other means where the platform has any. `exit` resolves only when no process
 * of it is left; otherwise it throws `backend.will-not-die`.
 */
export class Termination {
  reason: 'cancelled' | 'timed-out' | undefined;
  /** It would not die, or nobody knows whether it did. */
  isStuck = false;
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
    // However often the daemon is started anew in the hours of a step.
    this.#exit = untilContainerdAnswers(clock, () => client.tasks.wait(id), Number.POSITIVE_INFINITY);
    this.#exit.then(
      () => (this.#ended = true),
      () => undefined,
    );
    const onAbort = (): void => this.#begin('cancelled');
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
    this.#undo.push(() => signal?.removeEventListener('abort', onAbort));
    if (timeoutMs !== undefined) this.#undo.push(clock.after(timeoutMs, () => this.#begin('timed-out')));
  }

  /** How the task ended. */
  async exit(): Promise<TaskExit> {
    if (this.#exit === undefined) throw new Error('no task is watched');
    const exit = await Promise.race([this.#exit, this.#refused]).catch((error: unknown) => {
      throw this.#explain(error);
    });
    // The first process of a PID namespace is reaped only after all others in it are gone (pid_namespaces(7)); this is
    // the proof that the namespace was its own.
    const { host } = this.#options;
    if (await host?.processesLeft()) await this.#killAll();
    if (await host?.processesLeft()) throw this.#willNotDie('processes of it are left after its end');
    return exit;
  }

  /** After a failure: kills what there is and waits until it is gone. Throws `backend.will-not-die` unless that is certain. */
  async ensureDead(): Promise<void> {
    if (this.#ended || this.#exit === undefined) return;
    this.stop();
    const ended = this.#exit.catch((error: unknown) => {
      const explained = this.#explain(error);
      if (isLoamError(explained, 'backend.will-not-die')) throw explained;
    });
    await Promise.race([ended, this.#refused]);
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
    const { clock, killGraceMs = 0 } = this.#options;
    // To the first process only: a shell whose child is ended would go on with its next command.
    void this.#send(sigTerm, false);
    this.#undo.push(clock.after(killGraceMs, () => void this.#kill()));
  }

  async #kill(): Promise<void> {
    const { clock, killTimeoutMs } = this.#options;
    this.#undo.push(
      clock.after(killTimeoutMs, () => {
        if (!this.#ended) void this.#resort();
      }),
    );
    await this.#killAll();
  }

  /** The kill has had all its time. What is tried now is known to work when the runtime itself hangs. */
  async #resort(): Promise<void> {
    const { clock, id, killTimeoutMs, lastResort } = this.#options;
    const killed = `killed ${killTimeoutMs / 1000} s ago`;
    if (lastResort === undefined) return this.#refuse(this.#willNotDie(killed));
    let failure: unknown;
    await lastResort(id).catch((error: unknown) => (failure = error));
    this.#undo.push(
      clock.after(lastResortMs, () => {
        if (!this.#ended) this.#refuse(this.#willNotDie(`${killed}, and ended past the runtime`, failure));
      }),
    );
  }

  #explain(error: unknown): unknown {
    // Whether it still runs cannot be known.
    return isLoamError(error, 'containerd.unavailable') ? this.#willNotDie('containerd does not answer', error) : error;
  }

  #willNotDie(how: string, cause?: unknown): LoamError {
    this.isStuck = true;
    return LoamError.of('backend.will-not-die', { container: this.#options.id, how }, { cause });
  }

  async #killAll(): Promise<void> {
    await this.#send(sigKill, true);
  }

  /** A signal to the first process, or everything in the container; what has gone already is well. */
  async #send(signalNumber: number, all: boolean): Promise<void> {
    const { client, clock, id } = this.#options;
    try {
      await untilContainerdAnswers(clock, async () => {
        if (!this.#ended) await client.tasks.kill(id, signalNumber, { all });
      });
    } catch (error) {
      const isGone = isLoamError(error, 'containerd.not-found', 'containerd.failed-precondition');
      if (isGone || isLoamError(error, 'containerd.task-failed')) return;
      if (signalNumber === sigKill) this.#refuse(this.#willNotDie('the kill was refused', error));
    }
  }
}
