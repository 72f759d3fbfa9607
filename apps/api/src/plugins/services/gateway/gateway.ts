import { isLoamError, LoamError, type Clock, type IdSource } from '@loam/base';
import { AgentMessage, protocolVersion } from '@loam/contracts';
import type { AgentRow, ClaimedBuild, Database, ReleasedBuild } from '@loam/db';
import type { LogStore } from '@loam/logs';
import type { FastifyBaseLogger } from 'fastify';
import { Compile } from 'typebox/compile';
import type { WebSocket } from 'ws';

import type { Timing } from '../../../config.ts';
import type { Bus } from '../bus.ts';
import { textOf } from '../socket-text.ts';
import { AgentLink, closeCodes, type AgentStanding } from './agent-link.ts';
import type { Releaser } from './releaser.ts';
import { RecordSink } from './record-sink.ts';

const validMessage = Compile(AgentMessage);
type Message<T extends AgentMessage['type']> = Extract<AgentMessage, { type: T }>;

export interface GatewayParts {
  readonly db: Database;
  readonly logs: LogStore;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly timing: Timing;
  readonly releaser: Releaser;
  readonly log: FastifyBaseLogger;
}

/** After an offer that was refused or not answered, an agent is left alone this long. */
const restMs = 1_000;

/**
 * The agents that are connected to this process. An agent that drops out keeps its attempts for the time of grace: it may
 * come back, say what it has, and go on where it was acknowledged.
 */
export class Gateway {
  readonly #parts: GatewayParts;
  readonly #links = new Map<string, AgentLink>();

  constructor(parts: GatewayParts) {
    this.#parts = parts;
    const { bus } = parts;
    bus.subscribe('cancel', ({ agentId, attemptId }) => {
      this.#links.get(agentId)?.send({ type: 'cancel', attemptId, reason: 'Somebody cancelled the build.' });
    });
    bus.subscribe('standing', ({ agentId }) => {
      this.#refresh(agentId).catch((error: unknown) => parts.log.warn({ err: error, agentId }, 'agent not read again'));
    });
    bus.subscribe('revoked', ({ agentId }) => this.#links.get(agentId)?.close(closeCodes.revoked, 'revoked'));
  }

  link(agentId: string): AgentLink | undefined {
    const link = this.#links.get(agentId);
    return link?.isReady ? link : undefined;
  }

  links(pool: string): AgentLink[] {
    return [...this.#links.values()].filter((link) => link.pool === pool && link.isReady);
  }

  get size(): number {
    return this.#links.size;
  }

  /** Takes over a websocket whose credential has been checked. */
  attach(socket: WebSocket, agent: AgentRow): void {
    const { clock, log } = this.#parts;
    const link = new AgentLink(socket, agent, standingOf(agent), clock);
    // One message after the other; records only queue up here, so nothing waits for the database behind them.
    let turn: Promise<void> = Promise.resolve();
    socket.on('message', (data, isBinary) => {
      link.lastHeardAt = clock.now();
      const message = isBinary ? undefined : parse(textOf(data));
      if (message === undefined) {
        link.close(closeCodes.protocol, 'not a message of this protocol');
        return;
      }
      if (message.type === 'records' && link.isReady) {
        link.records(message.attemptId, message.fence, message.records);
        return;
      }
      turn = turn.then(async () => {
        try {
          await this.#handle(link, message);
        } catch (error) {
          log.warn({ err: error, agentId: link.agentId, message: message.type }, 'message of an agent failed');
          // Without its hello a link is nothing; of the rest the agent will speak again.
          if (message.type === 'hello') link.close(closeCodes.tryAgain, 'try again');
        }
      });
    });
    socket.on('error', (error) => log.debug({ err: error, agentId: link.agentId }, 'link of an agent'));
    const stopWatching = this.#watch(link);
    socket.on('close', (code) => {
      stopWatching();
      void this.#detached(link, code);
    });
  }

  /** Offers a claimed build. The link must be free. */
  offer(link: AgentLink, build: ClaimedBuild): void {
    const { clock, timing } = this.#parts;
    const { attemptId, fence } = build;
    const expire = clock.after(timing.offerMs, () => void this.#withdraw(link, attemptId, 'no answer'));
    this.#track(link, { attemptId, fence, ackedSeq: 0, cancelOffer: expire });
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

  /** An attempt lost its right: its agent, if it is connected here, shall stop. */
  drop(agentId: string, attemptId: string): void {
    const link = this.#links.get(agentId);
    if (link === undefined) return;
    link.attempts.get(attemptId)?.sink.close();
    link.attempts.delete(attemptId);
    link.send({ type: 'stale', attemptId });
  }

  /** Reads again what operators decided about an agent. */
  async #refresh(agentId: string): Promise<void> {
    const link = this.#links.get(agentId);
    const agent = link === undefined ? undefined : await this.#parts.db.agents.get(agentId);
    if (link === undefined || agent === undefined) return;
    link.standing = standingOf(agent);
    this.#parts.bus.publish('work', { pool: link.pool });
  }

  close(): void {
    for (const link of this.#links.values()) link.close(closeCodes.goingAway, 'the API is stopping');
  }

  async #handle(link: AgentLink, message: AgentMessage): Promise<void> {
    const { db, bus, clock } = this.#parts;
    if (message.type === 'hello') {
      await this.#hello(link, message);
      return;
    }
    if (!link.isReady) {
      link.close(closeCodes.protocol, 'hello comes first');
      return;
    }
    switch (message.type) {
      case 'heartbeat':
        await db.agents.seen(link.agentId, message.facts, clock.now());
        break;
      case 'inventory':
        await db.cache.reconcile(
          link.agentId,
          message.steps.map((step) => ({ stepId: step.stepId, sizeBytes: step.sizeBytes })),
          { asOf: link.lastHeardAt, now: clock.now() },
        );
        bus.publish('agent', { id: link.agentId, pool: link.pool });
        break;
      case 'accepted':
        await this.#accepted(link, message);
        break;
      case 'rejected':
        await this.#withdraw(link, message.attemptId, message.reason);
        break;
      case 'records':
        link.records(message.attemptId, message.fence, message.records);
        break;
      case 'planned':
      case 'removed':
        link.answer(message);
        break;
      case 'quarantined':
        await this.#quarantined(link, message.reason);
        break;
    }
  }

  async #hello(link: AgentLink, hello: Message<'hello'>): Promise<void> {
    const { db, bus, clock, timing, releaser, log } = this.#parts;
    if (hello.protocol !== protocolVersion) {
      const error = LoamError.of('agent.protocol-mismatch', { agent: hello.protocol, farm: protocolVersion });
      log.warn({ agentId: link.agentId }, error.message);
      link.close(closeCodes.protocol, error.code);
      return;
    }
    const agent = await db.agents.connected(link.agentId, {
      linkId: link.linkId,
      bootId: hello.bootId,
      facts: hello.facts,
      capacity: hello.slots,
      now: clock.now(),
    });
    if (agent === undefined) {
      link.close(closeCodes.revoked, 'revoked');
      return;
    }
    const older = this.#links.get(link.agentId);
    this.#links.set(link.agentId, link);
    if (older !== undefined && older !== link) {
      older.release();
      older.close(closeCodes.replaced, 'replaced by a newer link');
    }
    link.standing = standingOf(agent);
    link.capacity = hello.slots;

    const named = new Map(hello.attempts.map((attempt) => [attempt.attemptId, attempt]));
    const known = new Map(
      (await db.attempts.standing(link.agentId, [...named.keys()])).map((attempt) => [attempt.id, attempt]),
    );
    const lost: string[] = [];
    for (const live of await db.attempts.live({ agentId: link.agentId })) {
      const attempt = named.get(live.id);
      if (attempt === undefined && live.state === 'offered') {
        releaser.announce([await db.attempts.withdraw(live.id, clock.now())]);
      } else if (attempt === undefined || attempt.fence !== live.fence) {
        // The agent has forgotten it, and what it did.
        lost.push(live.id);
      } else if (!attempt.running && live.ackedSeq >= attempt.lastSeq) {
        // It is over without an end, and there is nothing more to come.
        lost.push(live.id);
      } else {
        const endsBy = attempt.running ? undefined : attempt.lastSeq;
        this.#track(link, { attemptId: live.id, fence: live.fence, ackedSeq: live.ackedSeq, endsBy });
      }
    }
    await releaser.lose(lost);
    link.isReady = true;
    link.send({
      type: 'welcome',
      agentId: link.agentId,
      heartbeatMs: timing.heartbeatMs,
      attempts: hello.attempts.map(({ attemptId, fence }) => {
        const standing = known.get(attemptId);
        const isOurs = standing !== undefined && standing.fence === fence;
        return {
          attemptId,
          ackedSeq: isOurs ? standing.ackedSeq : 0,
          live: isOurs && standing.live && !lost.includes(attemptId),
        };
      }),
    });
    for (const live of await db.attempts.live({ agentId: link.agentId })) {
      if (!live.cancelRequested) continue;
      link.send({ type: 'cancel', attemptId: live.id, reason: 'Somebody cancelled the build.' });
    }
    log.info({ agentId: link.agentId, name: link.name, pool: link.pool }, 'agent connected');
    bus.publish('agent', { id: link.agentId, pool: link.pool });
    bus.publish('work', { pool: link.pool });
    void this.#removeLate(link);
  }

  /** Has the agent remove what was deleted while it was away. */
  async #removeLate(link: AgentLink): Promise<void> {
    const { db, ids, clock, timing, log } = this.#parts;
    try {
      const steps = await db.cache.toRemove(link.agentId);
      if (steps.length === 0) return;
      const answer = await link.request({ type: 'remove', requestId: ids.next('audit'), steps }, timing.requestMs);
      const gone = new Set(answer.type === 'removed' ? answer.steps : []);
      await db.cache.removed(link.agentId, [...gone]);
      const kept = steps.filter((step) => !gone.has(step));
      await db.cache.keep(link.agentId, kept, clock.now());
    } catch (error) {
      log.warn({ err: error, agentId: link.agentId }, 'what was deleted meanwhile could not be removed yet');
    }
  }

  #track(
    link: AgentLink,
    attempt: {
      attemptId: string;
      fence: number;
      ackedSeq: number;
      cancelOffer?: () => void;
      endsBy?: number | undefined;
    },
  ): void {
    const { db, logs, bus, clock, log, releaser } = this.#parts;
    const { attemptId, fence } = attempt;
    const finish = (): void => {
      link.attempts.delete(attemptId);
      bus.publish('agent', { id: link.agentId, pool: link.pool });
      bus.publish('work', { pool: link.pool });
    };
    const sink = new RecordSink(
      { attemptId, agentId: link.agentId, fence },
      attempt.ackedSeq,
      { db, logs, bus, clock, warn: (details, message) => log.warn(details, message) },
      {
        ack: (seq) => {
          const tracked = link.attempts.get(attemptId);
          tracked?.cancelOffer?.();
          if (tracked) tracked.cancelOffer = undefined;
          link.send({ type: 'ack', attemptId, seq });
          if (attempt.endsBy !== undefined && seq >= attempt.endsBy && tracked !== undefined && !sink.isOver) {
            finish();
            void releaser.lose([attemptId]);
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
          void releaser.lose([attemptId]);
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

  async #accepted(link: AgentLink, { attemptId, fence }: Message<'accepted'>): Promise<void> {
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

  async #withdraw(link: AgentLink, attemptId: string, reason: string): Promise<void> {
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

  async #quarantined(link: AgentLink, reason: string): Promise<void> {
    const { db, bus, clock, ids } = this.#parts;
    link.standing = { ...link.standing, quarantined: true };
    await db.agents.quarantine(link.agentId, reason, {
      id: ids.next('audit'),
      at: clock.now(),
      actor: `agent ${link.name}`,
      action: 'agent.quarantined',
      subject: link.agentId,
      detail: { reason },
    });
    bus.publish('agent', { id: link.agentId, pool: link.pool });
  }

  async #detached(link: AgentLink, code: number): Promise<void> {
    const { db, bus, clock, timing, releaser, log } = this.#parts;
    if (this.#links.get(link.agentId) === link) this.#links.delete(link.agentId);
    const offered = [...link.attempts.values()].filter((attempt) => attempt.cancelOffer !== undefined);
    link.release();
    log.info({ agentId: link.agentId, name: link.name, code }, 'agent disconnected');
    try {
      for (const { attemptId } of offered) releaser.announce([await db.attempts.withdraw(attemptId, clock.now())]);
      await db.agents.disconnected(link.agentId, link.linkId);
    } catch (error) {
      if (!isLoamError(error)) log.debug({ err: error, agentId: link.agentId }, 'could not note that an agent left');
    }
    bus.publish('agent', { id: link.agentId, pool: link.pool });
    clock.after(timing.graceMs + 100, () => void releaser.loseSilent());
  }

  /** Cuts off a link that says nothing: its TCP connection may be dead without anybody having told. */
  #watch(link: AgentLink): () => void {
    const { clock, timing } = this.#parts;
    let cancel: () => void;
    const look = (): void => {
      if (link.isPaused) link.lastHeardAt = clock.now();
      if (clock.now() - link.lastHeardAt > 3 * timing.heartbeatMs) link.terminate();
      else cancel = clock.after(timing.heartbeatMs, look);
    };
    cancel = clock.after(timing.heartbeatMs, look);
    return () => cancel();
  }
}

function standingOf(agent: Pick<AgentRow, 'draining' | 'quarantineReason' | 'slots'>): AgentStanding {
  return { draining: agent.draining, quarantined: agent.quarantineReason !== null, slots: agent.slots };
}

function parse(text: string): AgentMessage | undefined {
  try {
    const message: unknown = JSON.parse(text);
    return validMessage.Check(message) ? message : undefined;
  } catch {
    return undefined;
  }
}
