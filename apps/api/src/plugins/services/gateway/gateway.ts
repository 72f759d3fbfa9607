import { isLoamError } from '@loam/base';
import { AgentMessage } from '@loam/contracts';
import type { AgentRow, ClaimedBuild } from '@loam/db';
import { Compile } from 'typebox/compile';
import type { WebSocket } from 'ws';

import { textOf } from '../socket-text.ts';
import { AgentLink, closeCodes } from './agent-link.ts';
import { AttemptTracker } from './attempt-tracker.ts';
import type { GatewayParts } from './gateway-parts.ts';
import { greet, learnUnknown, removeLate, standingOf } from './greet.ts';

const validMessage = Compile(AgentMessage);

/**
 * The agents that are connected to this process. An agent that drops out keeps its attempts for the time of grace: it may
 * come back, say what it has, and go on where it was acknowledged.
 */
export class Gateway {
  readonly #parts: GatewayParts;
  readonly #attempts: AttemptTracker;
  readonly #links = new Map<string, AgentLink>();

  constructor(parts: GatewayParts) {
    this.#parts = parts;
    this.#attempts = new AttemptTracker(parts);
    const { bus } = parts;
    bus.subscribe('cancel', ({ agentId, attemptId }) => {
      this.#links.get(agentId)?.send({ type: 'cancel', attemptId, reason: 'Somebody cancelled the build.' });
    });
    bus.subscribe('standing', ({ agentId }) => {
      this.#refresh(agentId).catch((error: unknown) => parts.log.warn({ err: error, agentId }, 'agent not read again'));
    });
    bus.subscribe('remove', ({ agentId }) => {
      const link = this.link(agentId);
      if (link !== undefined) void removeLate(parts, link);
    });
    bus.subscribe('doctor', ({ agentId }) => this.link(agentId)?.send({ type: 'doctor' }));
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
    this.#attempts.offer(link, build);
  }

  /** An attempt lost its right: its agent, if it is connected here, shall stop. */
  drop(agentId: string, attemptId: string): void {
    const link = this.#links.get(agentId);
    if (link !== undefined) this.#attempts.drop(link, attemptId);
  }

  /** Makes a link the agent's one link. */
  #register(link: AgentLink): void {
    const older = this.#links.get(link.agentId);
    this.#links.set(link.agentId, link);
    if (older === undefined || older === link) return;
    older.release();
    older.close(closeCodes.replaced, 'replaced by a newer link');
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
      await greet(this.#parts, this.#attempts, link, message, () => this.#register(link));
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
        // Not awaited: its answer comes in another turn.
        void learnUnknown(
          this.#parts,
          link,
          message.steps.map((step) => step.stepId),
        );
        bus.publish('agent', { id: link.agentId, pool: link.pool });
        break;
      case 'accepted':
        await this.#attempts.accepted(link, message);
        break;
      case 'rejected':
        await this.#attempts.withdraw(link, message.attemptId, message.reason);
        break;
      case 'records':
        link.records(message.attemptId, message.fence, message.records);
        break;
      case 'planned':
      case 'removed':
      case 'described':
        link.answer(message);
        break;
      case 'quarantined':
        await this.#quarantined(link, message.reason);
        break;
      case 'doctor-report':
        // By our own clock: the agent's may be what is wrong.
        await db.agents.saveDoctorReport(link.agentId, {
          ...message.report,
          at: Math.round(clock.now() - (message.ageMs ?? 0)),
        });
        bus.publish('agent', { id: link.agentId, pool: link.pool });
        break;
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

function parse(text: string): AgentMessage | undefined {
  try {
    const message: unknown = JSON.parse(text);
    return validMessage.Check(message) ? message : undefined;
  } catch {
    return undefined;
  }
}
