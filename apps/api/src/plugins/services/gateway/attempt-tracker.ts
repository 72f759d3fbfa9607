import type { AgentMessage } from '@loam/contracts';
import type { ClaimedBuild, ReleasedBuild } from '@loam/db';

import { closeCodes, type AgentLink } from './agent-link.ts';
import type { GatewayParts } from './gateway-parts.ts';
import { RecordSink } from './record-sink.ts';

type Accepted = Extract<AgentMessage, { type: 'accepted' }>;

/** After an offer that was refused or not answered, an agent is left alone this long. */
const restMs = 1_000;

/** An attempt that an agent has, or is about to be offered. */
export interface TrackedAttempt {
  readonly attemptId: string;
  readonly fence: number;
  readonly ackedSeq: number;
  /** Of an offer that is not answered yet. */
  readonly cancelOffer?: () => void;
  /** See `LinkedAttempt.endsBy`. */
  readonly endsBy?: number | undefined;
}

/** The attempts on agents' links: offers and their answers, and the way of their records into the store. */
export class AttemptTracker {
  readonly #parts: GatewayParts;

  constructor(parts: GatewayParts) {
    this.#parts = parts;
  }

  /** Offers a claimed build. The link must be free. */
  offer(link: AgentLink, build: ClaimedBuild): void {
    const { clock, timing } = this.#parts;
    const { attemptId, fence } = build;
    const expire = clock.after(timing.offerMs, () => void this.withdraw(link, attemptId, 'no answer'));
    this.track(link, { attemptId, fence, ackedSeq: 0, cancelOffer: expire });
    link.offer({
      attemptId,
      fence,
      buildId: build.id,
      spec: build.spec,
      context: build.context,
      secretIds: build.secretIds,
      timeoutMs: build.timeoutMs,
      limits: build.limits,
      refresh: build.refresh,
    });
  }

  /** The farm took an attempt away: its agent shall stop. */
  drop(link: AgentLink, attemptId: string): void {
    link.attempts.get(attemptId)?.sink.close();
    link.attempts.delete(attemptId);
    link.send({ type: 'stale', attemptId });
  }

  /** Stores what the agent sends of an attempt from here on. */
  track(link: AgentLink, attempt: TrackedAttempt): void {
    const { db, logs, bus, clock, log, releaser, tally } = this.#parts;
    const { attemptId, fence } = attempt;
    const finish = (): void => {
      link.attempts.delete(attemptId);
      bus.publish('agent', { id: link.agentId, pool: link.pool });
      bus.publish('work', { pool: link.pool });
    };
    const sink = new RecordSink(
      { attemptId, agentId: link.agentId, fence },
      attempt.ackedSeq,
      { db, logs, bus, clock, tally, warn: (details, message) => log.warn(details, message) },
      {
        ack: (seq) => {
          const tracked = link.attempts.get(attemptId);
          tracked?.cancelOffer?.();
          if (tracked) tracked.cancelOffer = undefined;
          link.send({ type: 'ack', attemptId, seq });
          if (attempt.endsBy !== undefined && seq >= attempt.endsBy && tracked !== undefined && !sink.isOver) {
            finish();
            void releaser.loseSurely(attemptId);
          }
        },
        ended: finish,
        stale: () => {
          link.send({ type: 'stale', attemptId });
          finish();
        },
        outOfStep: () => link.close(closeCodes.protocol, 'records are missing'),
        pressure: (isHigh) => link.press(attemptId, isHigh),
        damaged: (error) => {
          log.error({ err: error, attemptId }, 'the log of an attempt has a hole; the attempt is given up');
          link.send({ type: 'stale', attemptId });
          finish();
          void releaser.loseSurely(attemptId);
        },
      },
    );
    link.attempts.set(attemptId, {
      attemptId,
      fence,
      sink,
      cancelOffer: attempt.cancelOffer,
      endsBy: attempt.endsBy,
    });
  }

  /** The agent took an offer. */
  async accepted(link: AgentLink, { attemptId, fence }: Accepted): Promise<void> {
    const { db, bus, clock } = this.#parts;
    const attempt = link.attempts.get(attemptId);
    attempt?.cancelOffer?.();
    if (attempt) attempt.cancelOffer = undefined;
    const isTaken =
      attempt !== undefined && (await db.attempts.accept({ attemptId, agentId: link.agentId, fence }, clock.now()));
    if (!isTaken) {
      // An attempt that is not tracked any more because its end came first needs no word about it.
      if (attempt === undefined || link.attempts.has(attemptId)) link.send({ type: 'stale', attemptId });
      link.attempts.get(attemptId)?.sink.close();
      link.attempts.delete(attemptId);
      return;
    }
    const [live] = await db.attempts.live({ attemptId });
    if (live !== undefined) bus.publish('build', { id: live.buildId });
    bus.publish('agent', { id: link.agentId, pool: link.pool });
  }

  /** Takes an offer back that was refused or not answered. */
  async withdraw(link: AgentLink, attemptId: string, reason: string): Promise<void> {
    const { db, clock, bus, releaser, log } = this.#parts;
    const attempt = link.attempts.get(attemptId);
    if (attempt === undefined) return;
    attempt.cancelOffer?.();
    try {
      const released: ReleasedBuild | undefined = await db.attempts.withdraw(attemptId, clock.now());
      if (released === undefined) return;
      log.info({ agentId: link.agentId, attemptId, reason }, 'offer not taken');
      attempt.sink.close();
      link.attempts.delete(attemptId);
      link.restUntil = clock.now() + restMs;
      clock.after(restMs + 1, () => bus.publish('work', { pool: link.pool }));
      releaser.announce([released]);
    } catch (error) {
      log.warn({ err: error, attemptId }, 'an offer could not be withdrawn; the janitor will');
    }
  }
}
