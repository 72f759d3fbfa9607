import type { Clock } from '@loam/base';
import {
  protocolVersion,
  type AgentFacts,
  type AgentMessage,
  type ApiMessage,
  type DoctorReport,
} from '@loam/contracts';

import type { Attempts } from '../attempt/attempts.ts';
import type { Log } from '../log.ts';
import type { Backoff } from './backoff.ts';
import type { Link, LinkClosed, OpenLink } from './link.ts';
import { Outbox } from './outbox.ts';

type Planned = Extract<AgentMessage, { type: 'planned' }>;
type Removed = Extract<AgentMessage, { type: 'removed' }>;
type Described = Extract<AgentMessage, { type: 'described' }>;
type Inventory = Extract<AgentMessage, { type: 'inventory' }>;

/** What the API may ask besides attempts. None of these rejects. */
export interface Answers {
  plan(request: Extract<ApiMessage, { type: 'plan' }>): Promise<Planned>;
  remove(request: Extract<ApiMessage, { type: 'remove' }>): Promise<Removed>;
  describe(request: Extract<ApiMessage, { type: 'describe' }>): Promise<Described>;
  inventory(): Promise<Inventory['steps']>;
  facts(): Promise<AgentFacts>;
}

/** Who examines the host. Reports come by `Session.report`. */
export interface Doctor {
  request(): void;
}

export interface SessionOptions {
  readonly openLink: OpenLink;
  readonly bootId: string;
  readonly slots: number;
  readonly attempts: Attempts;
  readonly answers: Answers;
  readonly doctor: Doctor;
  readonly clock: Clock;
  readonly backoff: Backoff;
  readonly log: Log;
}

/** How long the API may take to say `welcome`. */
const welcomeTimeoutMs = 15_000;
const inventoryRetryMs = 10_000;
/** HTTP statuses and closing codes with which the API says that the credential is no good (any more). */
const refusals = new Set([401, 403, 4001]);
/** The farm may have been restored from an old copy, or the clock be wrong: not for ever, but not often. */
const refusedWaitMs = 60_000;
/** A link on which nothing came for so many heartbeats is dead. */
const silentHeartbeats = 3;

/**
 * The agent's link to the API, for as long as the agent lives: opened, said hello on, kept alive, and opened again.
 *
 * Nothing is lost with a link: what the API has not acknowledged is in the journals and is sent again on the next one.
 * Attempts go on while there is no link.
 */
export class Session {
  readonly #options: SessionOptions;
  readonly #outbox = new Outbox();
  #link: Link | undefined;
  #isLive = false;
  #isStopped = false;
  #heardAtMs = 0;
  /** Timers of the present link, or of the wait for the next. */
  #timers = new Set<() => void>();
  /** Steps that ended on this agent: an inventory that was taken meanwhile would be wrong. */
  #stepsEnded = 0;
  /** The doctor's last one, and when it began to look. */
  #report: { readonly report: DoctorReport; readonly beganMs: number } | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    options.attempts.listen({
      onRecord: (record) => {
        if (record.type === 'step-ended') this.#stepsEnded += 1;
        this.#outbox.pump();
      },
      onQuarantine: (reason) => this.#send({ type: 'quarantined', reason }),
      onLost: () => this.#link?.close(),
    });
  }

  get isLive(): boolean {
    return this.#isLive;
  }

  start(): void {
    this.#connect();
  }

  /** Tells the farm what the doctor found; without a link the next one begins with it. */
  report(report: DoctorReport): void {
    this.#report = { report, beganMs: this.#options.clock.monotonic() - report.durationMs };
    this.#sendReport();
  }

  /** Closes the link; nothing is opened any more. */
  stop(): void {
    this.#isStopped = true;
    this.#clearTimers();
    this.#outbox.detach();
    this.#isLive = false;
    this.#link?.close();
    this.#link = undefined;
  }

  #connect(): void {
    const link = this.#options.openLink({
      onOpen: () => {
        this.#hello(link).catch((error: unknown) => {
          this.#options.log.warn({ err: error }, 'this agent cannot say yet what host it is on');
          link.terminate();
        });
      },
      onAlive: () => (this.#heardAtMs = this.#options.clock.monotonic()),
      onMessage: (message) => this.#link === link && this.#receive(message, link),
      onClose: (why) => this.#link === link && this.#closed(why),
    });
    this.#link = link;
  }

  async #hello(link: Link): Promise<void> {
    const { attempts, bootId, slots, answers } = this.#options;
    const facts = await answers.facts();
    if (this.#link !== link) return;
    link.send({ type: 'hello', protocol: protocolVersion, bootId, facts, slots, attempts: attempts.report() });
    this.#after(welcomeTimeoutMs, () => {
      if (!this.#isLive) link.terminate();
    });
  }

  #closed(why: LinkClosed): void {
    const { backoff, clock, log } = this.#options;
    this.#link = undefined;
    this.#isLive = false;
    this.#outbox.detach();
    this.#clearTimers();
    if (this.#isStopped) return;
    const isRefused = refusals.has(why.code);
    const waitMs = isRefused ? refusedWaitMs : backoff.nextMs();
    if (isRefused) log.error({ ...why, waitMs }, 'the farm does not accept this agent: enrol it again');
    else log.warn({ ...why, waitMs }, 'no link to the farm');
    const cancel = clock.after(waitMs, () => {
      this.#timers.delete(cancel);
      this.#connect();
    });
    this.#timers.add(cancel);
  }

  #receive(message: ApiMessage, link: Link): void {
    if (message.type === 'welcome') return this.#welcome(message, link);
    if (!this.#isLive) return;
    const { attempts, answers } = this.#options;
    switch (message.type) {
      case 'offer': {
        const { attemptId, fence } = message.offer;
        const taken = attempts.offer(message.offer);
        if (typeof taken === 'string') return this.#send({ type: 'rejected', attemptId, fence, reason: taken });
        this.#send({ type: 'accepted', attemptId, fence });
        return this.#outbox.open(taken);
      }
      case 'cancel':
        return attempts.cancel(message.attemptId);
      case 'ack':
        attempts.ack(message.attemptId, message.seq);
        return this.#outbox.pump();
      case 'stale':
        this.#outbox.drop(message.attemptId);
        return attempts.stale(message.attemptId);
      case 'plan':
        return void answers.plan(message).then((answer) => this.#sendOn(link, answer));
      case 'remove':
        return void answers.remove(message).then((answer) => this.#sendOn(link, answer));
      case 'describe':
        return void answers.describe(message).then((answer) => this.#sendOn(link, answer));
      case 'doctor':
        return this.#options.doctor.request();
      default:
        // A newer API of the same major version may say more than we understand.
        return this.#options.log.warn({ message: (message as { type: unknown }).type }, 'unknown message');
    }
  }

  #welcome(welcome: Extract<ApiMessage, { type: 'welcome' }>, link: Link): void {
    const { attempts, backoff, log } = this.#options;
    this.#isLive = true;
    backoff.reset();
    this.#clearTimers();
    log.info({ agentId: welcome.agentId }, 'linked to the farm');
    this.#outbox.attach(link);
    for (const journal of attempts.welcome(welcome.attempts)) this.#outbox.open(journal);
    if (attempts.quarantine !== undefined) this.#send({ type: 'quarantined', reason: attempts.quarantine });
    void this.#sendInventory(link);
    this.#sendReport();
    this.#heardAtMs = this.#options.clock.monotonic();
    this.#beat(link, welcome.heartbeatMs);
  }

  #beat(link: Link, heartbeatMs: number): void {
    this.#after(heartbeatMs, () => {
      if (this.#options.clock.monotonic() - this.#heardAtMs > silentHeartbeats * heartbeatMs) return link.terminate();
      link.ping();
      this.#beat(link, heartbeatMs);
      void this.#options.answers
        .facts()
        .then((facts) => this.#sendOn(link, { type: 'heartbeat', facts, running: this.#options.attempts.running }));
    });
  }

  /** An inventory must not leave out a step that the API has just been told of, so one that was overtaken is taken again. */
  async #sendInventory(link: Link): Promise<void> {
    for (;;) {
      const before = this.#stepsEnded;
      const { answers, log } = this.#options;
      const steps = await answers.inventory().catch((error: unknown) => {
        log.warn({ err: error }, 'could not list what is in the cache');
        return undefined;
      });
      if (this.#link !== link) return;
      if (steps === undefined) return this.#after(inventoryRetryMs, () => void this.#sendInventory(link));
      if (before === this.#stepsEnded) return this.#send({ type: 'inventory', steps });
    }
  }

  #sendReport(): void {
    if (this.#report === undefined) return;
    const { report, beganMs } = this.#report;
    this.#send({ type: 'doctor-report', report, ageMs: this.#options.clock.monotonic() - beganMs });
  }

  #sendOn(link: Link, message: AgentMessage): void {
    if (this.#link === link) this.#send(message);
  }

  #send(message: AgentMessage): void {
    if (this.#isLive) this.#link?.send(message);
  }

  #after(ms: number, callback: () => void): void {
    const cancel = this.#options.clock.after(ms, () => {
      this.#timers.delete(cancel);
      callback();
    });
    this.#timers.add(cancel);
  }

  #clearTimers(): void {
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
  }
}
