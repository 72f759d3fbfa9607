import { LoamError, type Clock } from '@loam/base';
import type { Database, LiveAttempt, ReleasedBuild } from '@loam/db';
import type { LogStore } from '@loam/logs';
import type { FastifyBaseLogger } from 'fastify';

import type { Limits, Timing } from '../../../config.ts';
import type { Bus } from '../bus.ts';
import type { Tally } from '../tally.ts';

export interface ReleaserParts {
  readonly db: Database;
  readonly logs: LogStore;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly timing: Timing;
  readonly log: FastifyBaseLogger;
  readonly tally: Tally;
  /** Whether an agent is connected to this process: then it is alive, whatever the database was able to note. */
  readonly isLinked: (agentId: string) => boolean;
  /** Tells the agent, if it is here, that an attempt is no longer its. */
  readonly drop: (agentId: string, attemptId: string) => void;
}

const retryMsMin = 100;
const retryMsMax = 5_000;

/** Takes builds away from attempts that will not finish them. */
export class Releaser {
  readonly #parts: ReleaserParts;
  /** No agent is held for silent before: the farm itself may have been away, and must be reachable for a time of grace first. */
  #trustFrom: number;

  constructor(parts: ReleaserParts) {
    this.#parts = parts;
    this.#trustFrom = parts.clock.now() + parts.timing.graceMs;
  }

  /** Ends attempts as lost. Their builds wait for another agent, or end. */
  async lose(attemptIds: readonly string[]): Promise<void> {
    if (attemptIds.length === 0) return;
    const { db, clock, limits, log } = this.#parts;
    const attempts: LiveAttempt[] = [];
    for (const attemptId of attemptIds) attempts.push(...(await db.attempts.live({ attemptId })));
    const error = LoamError.of('api.attempts-exhausted', { count: limits.maxAttempts }).toPublic();
    const { builds, endedLogs } = await db.attempts.lose(attemptIds, clock.now(), {
      maxAttempts: limits.maxAttempts,
      error,
    });
    this.#parts.tally.attemptsLost += attempts.length;
    for (const attempt of attempts) {
      log.warn({ attemptId: attempt.id, buildId: attempt.buildId, agentId: attempt.agentId }, 'attempt lost');
      this.#parts.drop(attempt.agentId, attempt.id);
    }
    for (const id of endedLogs) {
      await this.#parts.logs.end(id);
      this.#parts.bus.publish('log-ended', { id });
    }
    this.announce(builds);
  }

  /**
   * The same, for whoever has told the agent to stop already: a database that is away is waited for. The agent stays linked,
   * so nobody else would notice that an attempt is live which nobody works on.
   */
  async loseSurely(attemptId: string): Promise<void> {
    const { clock, log } = this.#parts;
    for (let delayMs = retryMsMin; ; delayMs = Math.min(delayMs * 2, retryMsMax)) {
      try {
        await this.lose([attemptId]);
        return;
      } catch (error) {
        log.warn({ err: error, attemptId }, 'an attempt could not be noted as lost yet');
        const waitMs = delayMs;
        await new Promise<void>((resolve) => void clock.after(waitMs, resolve));
      }
    }
  }

  /** Ends the attempts of agents that were silent for longer than the time of grace. */
  async loseSilent(): Promise<void> {
    const { db, clock, timing, isLinked, log } = this.#parts;
    try {
      const silent = await db.attempts.silentSince(clock.now() - timing.graceMs);
      const gone = silent.filter((attempt) => !isLinked(attempt.agentId));
      if (clock.now() < this.#trustFrom) {
        if (gone.length > 0) clock.after(this.#trustFrom - clock.now() + 100, () => void this.loseSilent());
        return;
      }
      await this.lose(gone.map((attempt) => attempt.id));
    } catch (error) {
      this.#trustFrom = clock.now() + timing.graceMs;
      log.warn({ err: error }, 'could not look for silent agents');
      clock.after(timing.graceMs, () => void this.loseSilent());
    }
  }

  /** Tells everybody that builds wait again, or ended. */
  announce(released: readonly (ReleasedBuild | undefined)[]): void {
    for (const build of released) {
      if (build === undefined) continue;
      this.#parts.bus.publish('build', { id: build.buildId });
      if (build.state === 'queued') this.#parts.bus.publish('work', { pool: build.pool });
    }
  }
}
