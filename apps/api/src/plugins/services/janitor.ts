import type { Clock } from '@loam/base';
import type { Database } from '@loam/db';
import type { LoamQueue } from '@loam/queue';
import type { FastifyBaseLogger } from 'fastify';

import type { Timing } from '../../config.ts';
import type { BlobStore } from './blob-store.ts';
import type { Bus } from './bus.ts';
import type { Releaser } from './gateway/releaser.ts';

export interface JanitorParts {
  readonly db: Database;
  readonly queue: LoamQueue;
  readonly blobs: BlobStore;
  readonly bus: Bus;
  readonly releaser: Releaser;
  readonly clock: Clock;
  readonly timing: Timing;
  readonly log: FastifyBaseLogger;
}

const reconcileEveryMs = 30_000;
const expireEveryMs = 15_000;
/** Files are looked through this often at most. */
const dropUploadsEveryMs = 3_600_000;

/** What is done again and again, so that nothing stays as a crash or a lost message left it. */
export class Janitor {
  readonly #parts: JanitorParts;
  #droppedAt = 0;

  constructor(parts: JanitorParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    const { queue, log } = this.#parts;
    queue.onReconnected(() => {
      this.reconcile().catch((error: unknown) => log.warn({ err: error }, 'reconciling failed'));
    });
    await this.reconcile();
    await queue.startHousekeeping({
      reconcile: { everyMs: reconcileEveryMs, run: () => this.reconcile() },
      expire: { everyMs: expireEveryMs, run: () => this.expire() },
    });
  }

  /** Gives every waiting build its wake-up, whatever became of the one it had. */
  async reconcile(): Promise<void> {
    const { db, queue, bus } = this.#parts;
    const byPool = Map.groupBy(await db.builds.waiting(), (build) => build.pool);
    for (const [pool, builds] of byPool) {
      await queue.enqueueBuilds(
        pool,
        builds.map((build) => ({ buildId: build.id, priority: build.priority })),
      );
      bus.publish('work', { pool });
    }
  }

  /** Ends what has outlived its time. */
  async expire(): Promise<void> {
    const { db, clock, timing, releaser } = this.#parts;
    await releaser.loseSilent();
    for (const attemptId of await db.attempts.staleOffers(clock.now() - 3 * timing.offerMs)) {
      releaser.announce([await db.attempts.withdraw(attemptId, clock.now())]);
    }
    if (clock.now() - this.#droppedAt < dropUploadsEveryMs) return;
    this.#droppedAt = clock.now();
    await db.access.dropExpired(clock.now());
    await this.dropUploads();
  }

  /** Drops contexts and blobs that nothing used for long. */
  async dropUploads(): Promise<void> {
    const { db, blobs, clock, timing, log } = this.#parts;
    const dropped = await db.contexts.dropUnused(clock.now() - timing.keepUploadsMs);
    for (const digest of [...dropped.contexts, ...dropped.blobs]) await blobs.remove(digest);
    const count = dropped.contexts.length + dropped.blobs.length;
    if (count > 0) log.info({ count }, 'dropped uploads that nothing used for long');
  }
}
