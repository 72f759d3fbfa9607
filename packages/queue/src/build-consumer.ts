import { DelayedError, WaitingError, Worker, type Job } from 'bullmq';

import type { Clock } from '@loam/base';

import type { QueueBackend } from './backend.ts';
import { buildQueueName, jobs } from './catalogue.ts';
import type { Complaints } from './complaints.ts';
import type { QueueLogger } from './logger.ts';

/**
 * What became of a build that a handler was woken for. `done`: somebody has it (or nobody needs it any more), the job goes.
 * `later`: nobody can take it; it goes back to its place and the pool rests until `wake()`. `retryInMs`: this build alone
 * rests for a while.
 */
export type BuildAnswer = 'done' | 'later' | { readonly retryInMs: number };

/**
 * Looks at the build's row and acts. It may be called again for a build that it was already called for (a job is only a
 * wake-up, and a stalled one comes back), so it must decide by what the row says, never by having been called.
 */
export type BuildHandler = (build: { readonly buildId: string }, signal: AbortSignal) => Promise<BuildAnswer>;

export interface BuildConsumer {
  /** An agent has become free: a pool that rests after `later` looks at its builds again. Cheap when it does not rest. */
  wake(): void;
  /** Takes no more jobs; resolves when the handlers that run have answered. */
  close(): Promise<void>;
}

export interface ConsumeOptions {
  readonly pool: string;
  readonly concurrency: number;
  readonly handler: BuildHandler;
  readonly backend: QueueBackend;
  readonly clock: Clock;
  readonly logger: QueueLogger;
  readonly complaints: Complaints;
  /** A job left the queue for good. */
  readonly onDone: (buildId: string) => void;
  readonly onTaken: (buildId: string) => void;
  /** A job went back into the queue. */
  readonly onReturned: (buildId: string) => void;
}

/** Takes a pool's jobs, highest priority first and oldest first within a priority. */
export function consumeBuilds(options: ConsumeOptions): BuildConsumer {
  const { pool, backend, clock, logger } = options;
  let wakes = 0;
  let resting = false;

  async function process(job: Job, token: string | undefined): Promise<void> {
    const { buildId } = jobs.build.parse(job.data);
    options.onTaken(buildId);
    const wakesBefore = wakes;
    const answer = await ask(buildId);
    if (answer === 'done') return;
    options.onReturned(buildId);
    if (answer === 'later') {
      // An agent that became free while the handler was deciding has not been seen by it: look again at once.
      if (wakes === wakesBefore) rest();
      await job.moveToWait(token);
      throw new WaitingError();
    }
    await job.moveToDelayed(clock.now() + answer.retryInMs, token);
    throw new DelayedError();
  }

  async function ask(buildId: string): Promise<BuildAnswer> {
    const controller = new AbortController();
    const cancelTimer = clock.after(jobs.build.timeoutMs, () => controller.abort());
    try {
      return await options.handler({ buildId }, controller.signal);
    } catch (error) {
      logger.warn({ err: error, buildId, pool }, 'the build could not be dispatched; trying again');
      return { retryInMs: jobs.build.backoffMs };
    } finally {
      cancelTimer();
    }
  }

  function rest(): void {
    resting = true;
    // Without waiting for running jobs: this one is running. The promise settles at once.
    void worker.pause(true);
  }

  backend.reserveListener();
  const worker = new Worker(
    buildQueueName(pool),
    process,
    {
      connection: backend.connection as never,
      concurrency: options.concurrency,
      drainDelay: backend.drainDelay,
      runRetryDelay: 500,
      // A job that stalled (its process died) is a wake-up like any other, however often that happens.
      maxStalledCount: 1_000_000,
      // Handlers take milliseconds, so a process that died with a job in its hands is found out soon.
      lockDuration: 5_000,
      stalledInterval: 5_000,
    },
    backend.factory,
  );
  worker.on('error', options.complaints.listener('queue of builds', { pool }));
  worker.on('completed', (job) => options.onDone(job.id ?? ''));

  return {
    wake() {
      wakes++;
      if (!resting) return;
      resting = false;
      void worker.resume();
    },
    async close() {
      await worker.close(backend.isDown());
    },
  };
}
