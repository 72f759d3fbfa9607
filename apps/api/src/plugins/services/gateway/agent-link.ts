import { randomUUID } from 'node:crypto';

import { LoamError, type Clock } from '@loam/base';
import type { AgentMessage, ApiMessage, NumberedRecord, Offer } from '@loam/contracts';
import type { WebSocket } from 'ws';

import type { RecordSink } from './record-sink.ts';

/** Why a link was closed from this side. Agents reconnect after all but `revoked` and `protocol`. */
export const closeCodes = { goingAway: 1001, tryAgain: 1013, replaced: 4000, revoked: 4001, protocol: 4002 } as const;

export type AgentAnswer = Extract<AgentMessage, { requestId: string }>;
export type AgentRequest = Extract<ApiMessage, { requestId: string }>;

/** An attempt that the agent has, as far as this link knows. */
export interface LinkedAttempt {
  readonly attemptId: string;
  readonly fence: number;
  readonly sink: RecordSink;
  /** Set until the offer is answered. */
  cancelOffer: (() => void) | undefined;
  /** The agent does not run it any more and has records up to this one to send: without an end among them it is lost. */
  readonly endsBy: number | undefined;
}

/** What an operator decided about an agent. */
export interface AgentStanding {
  readonly draining: boolean;
  readonly quarantined: boolean;
  readonly slots: number | null;
}

/** One agent's websocket: what is under way on it. Who may do what, and when, is decided by the gateway. */
export class AgentLink {
  readonly linkId: string = randomUUID();
  readonly agentId: string;
  readonly name: string;
  readonly pool: string;
  readonly attempts: Map<string, LinkedAttempt> = new Map();
  standing: AgentStanding;
  /** Slots that the agent said it has. */
  capacity = 0;
  isReady = false;
  /** No offers until then: it refused one, or left one unanswered. */
  restUntil = 0;
  lastHeardAt: number;
  /** Attempts that send faster than can be stored: while there are any, nothing is read from the agent. */
  readonly #pressing = new Set<string>();
  readonly #socket: WebSocket;
  readonly #clock: Clock;
  readonly #requests = new Map<string, { resolve(answer: AgentAnswer): void; reject(error: LoamError): void }>();

  constructor(
    socket: WebSocket,
    agent: { id: string; name: string; pool: string },
    standing: AgentStanding,
    clock: Clock,
  ) {
    this.#socket = socket;
    this.agentId = agent.id;
    this.name = agent.name;
    this.pool = agent.pool;
    this.standing = standing;
    this.#clock = clock;
    this.lastHeardAt = clock.now();
  }

  get slots(): number {
    return Math.min(this.standing.slots ?? this.capacity, this.capacity);
  }

  /** Whether it may be offered work now. */
  get isFree(): boolean {
    const { draining, quarantined } = this.standing;
    const rests = this.restUntil > this.#clock.now();
    return this.isReady && !draining && !quarantined && !rests && this.attempts.size < this.slots;
  }

  send(message: ApiMessage): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** Asks the agent and waits for its answer. Fails with `api.agent-silent`, `api.agent-gone` or what the agent says; a removal that failed in part does not. */
  request(message: AgentRequest, timeoutMs: number): Promise<AgentAnswer> {
    return new Promise((resolve, reject) => {
      const cancelTimer = this.#clock.after(timeoutMs, () => {
        this.#requests.delete(message.requestId);
        reject(LoamError.of('api.agent-silent', { name: this.name }));
      });
      const settle = <T>(act: (value: T) => void) => {
        return (value: T) => {
          cancelTimer();
          this.#requests.delete(message.requestId);
          act(value);
        };
      };
      this.#requests.set(message.requestId, { resolve: settle(resolve), reject: settle(reject) });
      this.send(message);
    });
  }

  answer(message: AgentAnswer): void {
    const request = this.#requests.get(message.requestId);
    // What was removed before something could not be is gone all the same: such an answer is read whole.
    if (message.error === undefined || message.type === 'removed') request?.resolve(message);
    else request?.reject(LoamError.fromPublic(message.error));
  }

  offer(offer: Offer): void {
    this.send({ type: 'offer', offer });
  }

  records(attemptId: string, fence: number, records: readonly NumberedRecord[]): void {
    const attempt = this.attempts.get(attemptId);
    if (attempt === undefined || attempt.fence !== fence) this.send({ type: 'stale', attemptId });
    else attempt.sink.push(records);
  }

  /** Whether silence is our own doing. */
  get isPaused(): boolean {
    return this.#pressing.size > 0;
  }

  press(attemptId: string, isHigh: boolean): void {
    if (isHigh) this.#pressing.add(attemptId);
    else this.#pressing.delete(attemptId);
    if (this.isPaused) this.#socket.pause();
    else this.#socket.resume();
  }

  /** Lets go of everything that waits on this link. */
  release(): void {
    this.isReady = false;
    for (const attempt of this.attempts.values()) {
      attempt.cancelOffer?.();
      attempt.sink.close();
    }
    this.attempts.clear();
    for (const request of this.#requests.values()) request.reject(LoamError.of('api.agent-gone', { name: this.name }));
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
    // An agent that does not answer the closing is cut off; a link must not outlive its right.
    const cancel = this.#clock.after(2_000, () => this.#socket.terminate());
    this.#socket.once('close', cancel);
  }

  terminate(): void {
    this.#socket.terminate();
  }
}
