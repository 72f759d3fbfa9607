import type { Clock, IdSource } from '@loam/base';
import type { ClaimedBuild, Database } from '@loam/db';
import type { BuildAnswer, BuildConsumer, LoamQueue } from '@loam/queue';
import type { FastifyBaseLogger } from 'fastify';

import type { Bus } from './bus.ts';
import type { AgentLink } from './gateway/agent-link.ts';
import type { Gateway } from './gateway/gateway.ts';

export interface DispatcherParts {
  readonly db: Database;
  readonly queue: LoamQueue;
  readonly bus: Bus;
  readonly gateway: Gateway;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly log: FastifyBaseLogger;
}

/**
 * Gives waiting builds to the agents that are connected to this process. Whoever thinks that something could be given away
 * now says `work` on the bus; jobs of the queue say the same, so that no process needs to look around by itself. What is
 * given to whom is decided by the rows alone, one claim at a time.
 */
export class Dispatcher {
  readonly #parts: DispatcherParts;
  readonly #consumers = new Map<string, BuildConsumer>();
  /** Pools that are being looked at, and whether they shall be looked at again. */
  readonly #running = new Map<string, { again: boolean; done: Promise<void> }>();
  #isClosed = false;

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
    parts.bus.subscribe('work', ({ pool }) => {
      void this.run(pool);
      this.#consumers.get(pool)?.wake();
    });
    parts.bus.subscribe('agent', ({ id, pool }) => {
      if (parts.gateway.link(id) !== undefined) this.#consume(pool);
    });
  }

  /** Gives away what can be given; resolves when nothing more can be. */
  run(pool: string): Promise<void> {
    if (this.#isClosed || this.#parts.gateway.links(pool).length === 0) return Promise.resolve();
    const running = this.#running.get(pool);
    if (running !== undefined) {
      running.again = true;
      return running.done;
    }
    const entry = { again: false, done: Promise.resolve() };
    this.#running.set(pool, entry);
    entry.done = (async () => {
      try {
        do {
          entry.again = false;
          while (await this.#giveOne(pool));
        } while (entry.again);
      } catch (error) {
        this.#parts.log.warn({ err: error, pool }, 'dispatch failed; trying again soon');
        this.#parts.clock.after(1_000, () => void this.run(pool));
      } finally {
        this.#running.delete(pool);
      }
    })();
    return entry.done;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#running.values()].map((entry) => entry.done));
  }

  async #giveOne(pool: string): Promise<boolean> {
    const { db, gateway, clock, ids, bus } = this.#parts;
    const free = gateway.links(pool).filter((link) => link.isFree);
    const link = await this.#choose(pool, free);
    if (link === undefined) return false;
    const build: ClaimedBuild | undefined = await db.attempts.claim({
      pool,
      agentId: link.agentId,
      attemptId: ids.next('attempt'),
      now: clock.now(),
    });
    if (build === undefined) return false;
    if (!link.isReady) {
      await db.attempts.withdraw(build.attemptId, clock.now());
      return true;
    }
    gateway.offer(link, build);
    bus.publish('build', { id: build.id });
    return true;
  }

  /** The agent with the most snapshots that builds of the same spec used, then of similar ones, then with the most free slots. */
  async #choose(pool: string, free: readonly AgentLink[]): Promise<AgentLink | undefined> {
    if (free.length < 2) return free[0];
    const next = await this.#parts.db.builds.next(pool);
    if (next === undefined) return undefined;
    const useful = await this.#parts.db.agents.usefulSnapshots(
      { specHash: next.specHash, ops: next.plan.map((step) => step.op) },
      free.map((link) => link.agentId),
    );
    const room = (link: AgentLink): number => link.slots - link.attempts.size;
    const none = { same: 0, similarMs: 0 };
    return free
      .map((link) => ({ link, ...(useful.get(link.agentId) ?? none) }))
      .toSorted((a, b) => b.same - a.same || b.similarMs - a.similarMs || room(b.link) - room(a.link))
      .find(({ link }) => link.isFree)?.link;
  }

  /** Listens to the pool's jobs from the first agent on. */
  #consume(pool: string): void {
    if (this.#consumers.has(pool) || this.#isClosed) return;
    this.#consumers.set(
      pool,
      this.#parts.queue.consumeBuilds(pool, ({ buildId }) => this.#answer(pool, buildId)),
    );
  }

  async #answer(pool: string, buildId: string): Promise<BuildAnswer> {
    await this.run(pool);
    const build = await this.#parts.db.builds.get(buildId);
    return build?.state === 'queued' && build.liveAttempt === null ? 'later' : 'done';
  }
}
