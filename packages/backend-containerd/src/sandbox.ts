import type { RunExit, RunIo, RunRequest, Sandbox } from '@loam/backend';
import { cancelled, isLoamError, LoamError, sleep, type Clock } from '@loam/base';
import type { Containerd } from '@loam/containerd';

import type { CleanupQueue } from './cleanup-queue.ts';
import { labels } from './labels.ts';
import type { HostRun, PlatformDriver } from './platform-driver.ts';
import { untilContainerdAnswers } from './until-containerd-answers.ts';
import { ShimRelay, type RelayPlace } from './sandbox/shim-relay.ts';
import { Termination } from './sandbox/termination.ts';
import type { WorkingMounts } from './store/working-mounts.ts';

export interface SandboxOptions {
  readonly client: Containerd;
  readonly driver: PlatformDriver;
  readonly agentId: string;
  readonly clock: Clock;
  readonly randomUUID: () => string;
  readonly mounts: WorkingMounts;
  readonly cleanup: CleanupQueue;
  /** Between the polite signal and the one that cannot be refused. */
  readonly killGraceMs: number;
  /** How long a killed process may take to be gone before it counts as one that will not die. */
  readonly killTimeoutMs: number;
}

/** How long output may go on after the exit: the runtime's own relay is done by then. */
const outputAfterExitMs = 10_000;
const maxPendingCleanups = 4;
const startTriesMax = 5;
const startAgainMs = 250;
const deletePausesMs = [250, 1_000];
/** How long an ended task waits for the next step of its build, which may take its shim over. */
const successorWithinMs = 200;

/** Runs processes as containerd tasks, one container each. */
export class ContainerdSandbox implements Sandbox {
  readonly #options: SandboxOptions;
  readonly #relay = new ShimRelay();

  constructor(options: SandboxOptions) {
    this.#options = options;
  }

  async run(request: RunRequest, io: RunIo, signal: AbortSignal): Promise<RunExit> {
    try {
      return await this.#runPatiently(request, io, signal);
    } catch (error) {
      const mending = this.#options.driver.runToMend(request, error);
      if (mending === undefined) throw error;
      const exit = await this.#runPatiently(mending, { onOutput: () => undefined }, signal);
      if (exit.kind !== 'exited' || exit.code !== 0) throw error;
      return await this.#runPatiently(request, io, signal);
    }
  }

  /** Once more when containerd went away before the process can have begun: nothing has changed the snapshot then. */
  async #runPatiently(request: RunRequest, io: RunIo, signal: AbortSignal): Promise<RunExit> {
    for (let tries = 1; ; tries++) {
      const progress = { mayHaveBegun: false };
      try {
        return await this.#run(request, io, signal, progress);
      } catch (error) {
        const isSafe = !progress.mayHaveBegun && tries < startTriesMax && !signal.aborted;
        if (!isSafe || !isLoamError(error, 'containerd.unavailable')) throw error;
        await untilContainerdAnswers(this.#options.clock, () => this.#options.client.version());
      }
    }
  }

  async #run(
    request: RunRequest,
    io: RunIo,
    signal: AbortSignal,
    progress: { mayHaveBegun: boolean },
  ): Promise<RunExit> {
    if (signal.aborted) throw cancelled();
    const { client, driver, cleanup, mounts, agentId } = this.#options;
    const id = `loam-${this.#options.randomUUID()}`;
    await cleanup.room(maxPendingCleanups);
    // An earlier run on the same snapshot may still be mounted.
    await cleanup.settled(request.working.key);
    const rootfs = await mounts.of(request.working);
    const place = this.#relay.enter(request.working.lease.id, id);
    const host = await driver
      .prepareRun({ id, group: place.group, predecessor: place.predecessor, request, mounts: rootfs, io })
      .catch((error: unknown) => {
        place.arrived();
        throw error;
      });
    const { lastResort } = driver;
    const termination = new Termination({
      ...this.#options,
      id,
      host,
      signal,
      timeoutMs: request.timeoutMs,
      lastResort,
    });
    let taskMade = false;
    let isOver = false;
    try {
      if (signal.aborted) throw cancelled();
      await client.containers.create(
        {
          id,
          labels: { [labels.agent]: agentId, [labels.owner]: request.label },
          runtime: { ...driver.runtime, ...(host.runtimeOptions && { options: host.runtimeOptions }) },
          spec: host.spec,
          snapshotter: driver.snapshotter,
          snapshotKey: request.working.key,
        },
        { lease: request.working.lease.id },
      );
      const { stdin, stdout, stderr } = host.stdio;
      await client.tasks.create({ containerId: id, rootfs, stdout, stderr, ...(stdin === undefined ? {} : { stdin }) });
      io.onPhase?.('created');
      taskMade = true;
      termination.watch();
      progress.mayHaveBegun = true;
      const wasInterrupted = await this.#start(id);
      io.onPhase?.('started');
      // Not before: it would take the processor from the start.
      place.arrived();
      let inputFailure: { error: unknown } | undefined;
      feed(client, id, host, io).catch((error: unknown) => {
        inputFailure = { error };
        termination.stop();
      });
      const { exitStatus } = await termination.exit();
      io.onPhase?.('exited');
      isOver = true;
      if (wasInterrupted && exitStatus !== 0 && termination.reason === undefined) throw notBegun(exitStatus);
      if (inputFailure !== undefined) throw (inputFailure as { error: unknown }).error;
      await this.#outputEnd(host);
      return await classify(exitStatus, host, driver, termination);
    } catch (error) {
      if (!taskMade && isLoamError(error, 'containerd.unavailable') && (await this.#hasTask(id))) {
        taskMade = true;
        termination.watch();
      }
      if (taskMade) await termination.ensureDead();
      if (!isLoamError(error, 'backend.will-not-die')) {
        if (signal.aborted) throw cancelled();
        // Ended before it ran: the start fails then, and that is not why.
        if (termination.reason === 'timed-out') return { kind: 'timed-out' };
      }
      const user = request.user.kind === 'name' ? request.user.name : String(request.user.uid);
      throw driver.explainStartFailure(error, request.argv[0] ?? '', user);
    } finally {
      termination.end();
      // What cannot be undone is told, and removed by the next life; how the step ended does not depend on it.
      cleanup.start(`host of ${id}`, () => host.release());
      if (termination.isStuck) {
        // What may still run keeps its records and its snapshot, for whoever looks at the host, and for the next reconciliation.
        mounts.keep(request.working.key);
        place.arrived();
      } else {
        await cleanup.settled(`host of ${id}`);
        place.arrived();
        this.#forget(id, request.working.key, place, isOver);
        if (!taskMade) await cleanup.settled(request.working.key);
      }
    }
  }

  /** Deletes the records of a run that has ended; of one that ended well not before the next step has had its chance. */
  #forget(id: string, key: string, place: RelayPlace, isOver: boolean): void {
    const deletion = this.#options.cleanup.defer(key, successorWithinMs, async () => {
      await place.retire();
      await this.#deleteRecords(id);
    });
    if (isOver) place.leave(deletion);
    else deletion.begin();
  }

  /** Whether a task was made, though the daemon went away before it had answered. */
  async #hasTask(id: string): Promise<boolean> {
    const { client, clock } = this.#options;
    return untilContainerdAnswers(clock, () => client.tasks.get(id)).then(
      () => true,
      () => false,
    );
  }

  /** Starts a task. When the daemon goes away before it has answered, the task tells whether it did; true then. */
  async #start(id: string): Promise<boolean> {
    const { client, clock } = this.#options;
    for (let tries = 1; ; tries++) {
      try {
        await client.tasks.start(id);
        return tries > 1;
      } catch (error) {
        if (!isLoamError(error, 'containerd.unavailable')) throw error;
        if ((await untilContainerdAnswers(clock, () => client.tasks.get(id))).status !== 'created') return true;
        // The daemon is there: it is the start that fails.
        if (tries === startTriesMax) throw error;
        await sleep(clock, startAgainMs);
      }
    }
  }

  /** The task's mounts and control groups, and the container's record. By now no process of it is left. */
  async #deleteRecords(id: string): Promise<void> {
    const { client, clock } = this.#options;
    await untilContainerdAnswers(clock, () => orGone(this.#deleteTask(id)));
    await untilContainerdAnswers(clock, () => orGone(client.containers.delete(id)));
  }

  /** A shim that ends at this moment takes the answer with it; the next one is that the task is gone. */
  async #deleteTask(id: string): Promise<void> {
    const { client, clock } = this.#options;
    for (const pauseMs of deletePausesMs) {
      try {
        await client.tasks.delete(id);
        return;
      } catch (error) {
        if (!isLoamError(error, 'containerd.task-failed')) throw error;
        await sleep(clock, pauseMs);
      }
    }
    await client.tasks.delete(id);
  }

  async #outputEnd(host: HostRun): Promise<void> {
    let stop: (() => void) | undefined;
    const late = new Promise<void>((resolve) => (stop = this.#options.clock.after(outputAfterExitMs, resolve)));
    await Promise.race([host.stdio.ended, late]);
    stop?.();
  }
}

/**
 * A daemon that ends while it starts a task may take the runtime along, whose half-begun process then fails with words of its
 * own ("write exec fifo: broken pipe"): nobody can tell that from a failure of the command, so the step has to be run again.
 */
function notBegun(exitStatus: number): LoamError {
  return LoamError.of(
    'containerd.unavailable',
    {},
    { internal: `the start was interrupted; exit status ${exitStatus}` },
  );
}

async function orGone(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isLoamError(error, 'containerd.not-found')) throw error;
  }
}

/** Hands over standard input, until it ends or nobody reads it any more. */
async function feed(client: Containerd, id: string, host: HostRun, io: RunIo): Promise<void> {
  if (io.stdin === undefined) return;
  for await (const bytes of io.stdin) if (!(await host.stdio.write(bytes))) return;
  await host.stdio.endInput();
  if (!host.stdio.inputEndsByCloseIO) return;
  // The shim holds a writing end of its own: the process sees the end only after this.
  await client.tasks.closeIO(id).catch((error: unknown) => {
    if (!isLoamError(error, 'containerd.not-found', 'containerd.failed-precondition', 'containerd.task-failed'))
      throw error;
  });
}

/**
 * What an exit status says. The shim tells a process that a signal ended as 128 and the signal, which is also what a shell
 * answers whose child was killed, or a program that says `exit 137`: the three cannot be told apart, so all are exit codes.
 */
async function classify(
  exitStatus: number,
  host: HostRun,
  driver: PlatformDriver,
  termination: Termination,
): Promise<RunExit> {
  if (termination.reason === 'cancelled') throw cancelled();
  if (termination.reason === 'timed-out') return { kind: 'timed-out' };
  if (exitStatus !== 0 && (await host.outOfMemory(exitStatus))) return { kind: 'out-of-memory' };
  const explained = driver.explainExit(exitStatus);
  if (explained instanceof Error) throw explained;
  return { kind: 'exited', code: exitStatus, ...(explained === undefined ? {} : { meaning: explained }) };
}
