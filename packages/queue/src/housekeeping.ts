import { Queue, Worker } from 'bullmq';

import type { Clock } from '@loam/base';

import type { QueueBackend } from './backend.ts';
import { housekeepingQueueName, jobs, type HousekeepingJob } from './catalogue.ts';
import type { Complaints } from './complaints.ts';
import type { QueueLogger } from './logger.ts';

export interface HousekeepingTask {
  readonly everyMs: number;
  run(signal: AbortSignal): Promise<void>;
}
export type HousekeepingTasks = Readonly<Record<HousekeepingJob, HousekeepingTask>>;

export interface Housekeeping {
  /** Sets the beats up again where they are missing, after the queue may have lost its data. */
  restore(): Promise<void>;
  close(): Promise<void>;
}

/** How often a process looks whether the beats are still there: losing the queue's data must not stop the reconciler. */
const guardEveryMs = 30_000;

/** For how long, in milliseconds, the beats wait for a process that died in the middle of one. */
const lockDuration = 10_000;

/** Starts the repeated jobs: of all the processes that take part one runs each beat, and no two beats run at once. */
export async function startHousekeeping(
  backend: QueueBackend,
  tasks: HousekeepingTasks,
  { clock, logger, complaints }: { clock: Clock; logger: QueueLogger; complaints: Complaints },
): Promise<Housekeeping> {
  const queue = new Queue(
    housekeepingQueueName,
    { connection: backend.connection as never, streams: { events: { maxLen: 100 } } },
    backend.factory,
  );
  queue.on('error', complaints.listener('queue of housekeeping'));
  await restore();

  backend.reserveListener();
  const worker = new Worker(
    housekeepingQueueName,
    async (job) => {
      const name = job.name as HousekeepingJob;
      const controller = new AbortController();
      const cancelTimer = clock.after(jobs[name].timeoutMs, () => controller.abort());
      try {
        await tasks[name].run(controller.signal);
      } catch (error) {
        // The next beat tries again.
        logger.warn({ err: error, job: name }, 'housekeeping failed');
      } finally {
        cancelTimer();
      }
    },
    {
      connection: backend.connection as never,
      drainDelay: backend.drainDelay,
      runRetryDelay: 1_000,
      maxStalledCount: 1_000_000,
      lockDuration,
      stalledInterval: lockDuration / 2,
    },
    backend.factory,
  );
  worker.on('error', complaints.listener('queue of housekeeping'));

  let cancelGuard = clock.after(guardEveryMs, guard);
  function guard(): void {
    restore().catch((error: unknown) => logger.warn({ err: error }, 'the beats of housekeeping could not be restored'));
    cancelGuard = clock.after(guardEveryMs, guard);
  }

  async function restore(): Promise<void> {
    // A scheduler makes the next beat when one begins: without a limit a slow beat would meet the next one.
    await queue.setGlobalConcurrency(1);
    for (const [name, task] of Object.entries(tasks)) {
      const scheduler = await queue.getJobScheduler(name);
      // Setting up anew what is there would put its next beat off.
      if (scheduler?.every === task.everyMs) continue;
      await queue.upsertJobScheduler(
        name,
        { every: task.everyMs },
        { name, data: {}, opts: { removeOnComplete: true, removeOnFail: true } },
      );
    }
  }

  return {
    restore,
    async close() {
      cancelGuard();
      await Promise.all([worker.close(backend.isDown()), queue.close()]);
    },
  };
}
