import { Queue, type JobsOptions } from 'bullmq';

import { isLoamError, LoamError, type Clock } from '@loam/base';

import { openBackend, type QueueBackend } from './backend.ts';
import { consumeBuilds, type BuildConsumer, type BuildHandler } from './build-consumer.ts';
import { buildQueueName, jobs, toQueuePriority } from './catalogue.ts';
import { Complaints } from './complaints.ts';
import { startHousekeeping, type Housekeeping, type HousekeepingTasks } from './housekeeping.ts';
import type { QueueLogger } from './logger.ts';
import { openRelay, type Relay } from './relay.ts';

export interface QueueOptions {
  /** `LOAM_QUEUE_URL`: `redis://…` for farms, `postgres://…` for the embedded single machine. */
  readonly url: string;
  readonly clock: Clock;
  readonly logger?: QueueLogger;
}

export interface BuildJob {
  readonly buildId: string;
  /** -100 to 100, higher first. */
  readonly priority: number;
}

/**
 * The wake-ups of the control plane. Postgres rows are the truth: a build waits because its row says so, and its job only
 * says that somebody should look. Losing every job therefore loses no build, once `enqueueBuilds` has been called with what
 * the rows say; enqueueing a build that has its job already changes nothing.
 */
export interface LoamQueue {
  readonly kind: 'redis' | 'postgres';
  /** Makes the pool's queue ready, so that the first build does not wait for it. */
  ensurePool(pool: string): Promise<void>;
  /** Fails with `queue.unreachable` after two seconds: the caller goes on, and the reconciler makes up for it. */
  enqueueBuild(pool: string, job: BuildJob): Promise<void>;
  /** The same for many, in few round trips: what the reconciler does. */
  enqueueBuilds(pool: string, builds: readonly BuildJob[]): Promise<void>;
  hasBuild(pool: string, buildId: string): Promise<boolean>;
  /** Removes the build's job, if it has one; false when a handler has it just now. */
  removeBuild(pool: string, buildId: string): Promise<boolean>;
  /** How many builds of the pool have a job: waiting, resting, or in a handler's hands. */
  countBuilds(pool: string): Promise<number>;
  /** Takes the pool's builds from now on; `concurrency` handlers at a time, 1 by default. */
  consumeBuilds(pool: string, handler: BuildHandler, options?: { concurrency?: number }): BuildConsumer;
  /** Runs the repeated jobs. Once per process. */
  startHousekeeping(tasks: HousekeepingTasks): Promise<void>;
  /** Calls back when the connection was lost and is there again, perhaps to an empty queue: time to reconcile. */
  onReconnected(callback: () => void): void;
  readonly relay: Relay;
  /** Ends everything, waiting some seconds for the handlers that run. */
  close(): Promise<void>;
}

const enqueueTimeoutMs = 2_000;
const closeTimeoutMs = 3_000;

/** Connects to the queue, whichever of the two datastores it stands on. */
export async function openQueue(options: QueueOptions): Promise<LoamQueue> {
  const { clock } = options;
  const logger = options.logger ?? { info: () => undefined, warn: () => undefined };
  const complaints = new Complaints(clock, logger);
  const backend = await openBackend(options.url, complaints.listener('connection of the queue'));
  backend.onReconnected(() => complaints.end());
  const relay = await openRelay(backend, { clock, logger, complaints });
  const queues = new Map<string, PoolQueue>();
  const consumers = new Set<BuildConsumer>();
  // Builds in the hands of a handler of this process, and the job that was asked for meanwhile, if one was.
  const taken = new Map<string, { again?: BuildJob }>();
  let housekeeping: Housekeeping | undefined;

  function queueOf(pool: string): PoolQueue {
    const known = queues.get(pool);
    if (known) return known;
    const queue = openPoolQueue(backend, pool);
    queue.on('error', complaints.listener('queue of builds', { pool }));
    queues.set(pool, queue);
    return queue;
  }

  function isTaken(job: BuildJob): boolean {
    const entry = taken.get(job.buildId);
    if (entry) entry.again = job;
    return entry !== undefined;
  }

  const unreachable = (cause?: unknown): LoamError =>
    LoamError.of('queue.unreachable', { kind: backend.kind === 'redis' ? 'Redis' : 'Postgres' }, { cause });

  /** BullMQ waits for a Redis that is gone as long as it takes; who submits a build must not. */
  async function inTime(work: Promise<unknown>, timeoutMs: number): Promise<void> {
    const late = Promise.withResolvers<never>();
    const cancelTimer = clock.after(timeoutMs, () => late.reject(unreachable()));
    try {
      await Promise.race([work, late.promise]);
    } catch (cause) {
      throw isLoamError(cause) ? cause : unreachable(cause);
    } finally {
      cancelTimer();
      work.catch(() => undefined);
    }
  }

  const self: LoamQueue = {
    kind: backend.kind,
    relay,
    async ensurePool(pool) {
      await queueOf(pool).waitUntilReady();
    },
    async enqueueBuild(pool, job) {
      if (isTaken(job)) return;
      await inTime(queueOf(pool).add('build', jobs.build.parse(job), jobOptions(job)), enqueueTimeoutMs);
    },
    async enqueueBuilds(pool, builds) {
      const fresh = builds.filter((job) => !isTaken(job));
      if (fresh.length === 0) return;
      await inTime(
        queueOf(pool).addBulk(
          fresh.map((job) => ({ name: 'build', data: jobs.build.parse(job), opts: jobOptions(job) })),
        ),
        enqueueTimeoutMs,
      );
    },
    async hasBuild(pool, buildId) {
      return (await queueOf(pool).getJob(buildId)) !== undefined;
    },
    async removeBuild(pool, buildId) {
      return (await queueOf(pool).remove(buildId)) === 1;
    },
    async countBuilds(pool) {
      return await queueOf(pool).getJobCountByTypes('wait', 'prioritized', 'delayed', 'active');
    },
    consumeBuilds(pool, handler, { concurrency = 1 } = {}) {
      const consumer = consumeBuilds({
        pool,
        handler,
        concurrency,
        backend,
        clock,
        logger,
        complaints,
        onTaken: (buildId) => taken.set(buildId, {}),
        onReturned: (buildId) => taken.delete(buildId),
        onDone(buildId) {
          const again = taken.get(buildId)?.again;
          taken.delete(buildId);
          // Asked for while the old job was in hand: BullMQ would have ignored it, so it is added now.
          if (!again) return;
          self.enqueueBuild(pool, again).catch((error: unknown) => {
            logger.warn({ err: error, buildId }, 'a build lost its job; the reconciler adds it again');
          });
        },
      });
      consumers.add(consumer);
      return {
        wake: () => consumer.wake(),
        async close() {
          consumers.delete(consumer);
          await consumer.close();
        },
      };
    },
    async startHousekeeping(tasks) {
      const started = await startHousekeeping(backend, tasks, { clock, logger, complaints });
      housekeeping = started;
      backend.onReconnected(() => {
        started.restore().catch((error: unknown) => logger.warn({ err: error }, 'housekeeping could not be restored'));
      });
    },
    onReconnected: (callback) => backend.onReconnected(callback),
    async close() {
      // With its server gone BullMQ would wait for ever; then the connections are cut under it.
      const workers = [...consumers, ...(housekeeping ? [housekeeping] : [])];
      await inTime(closeAll(workers), closeTimeoutMs).catch(() => undefined);
      await inTime(closeAll([relay, ...queues.values()]), closeTimeoutMs).catch(() => undefined);
      await backend.close();
    },
  };
  return self;
}

type PoolQueue = ReturnType<typeof openPoolQueue>;

function openPoolQueue(backend: QueueBackend, pool: string) {
  return new Queue(
    buildQueueName(pool),
    { connection: backend.connection as never, streams: { events: { maxLen: 100 } } },
    backend.factory,
  );
}

async function closeAll(parts: readonly { close(): Promise<void> }[]): Promise<void> {
  await Promise.all(parts.map((part) => part.close()));
}

/** Nothing is kept of a job that is over: a leftover with the build's id would make BullMQ ignore the next one. */
function jobOptions(job: BuildJob): JobsOptions {
  return {
    jobId: job.buildId,
    priority: toQueuePriority(job.priority),
    removeOnComplete: true,
    removeOnFail: true,
  };
}
