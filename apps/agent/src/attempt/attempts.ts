import { sleep, type Clock, type StepId } from '@loam/base';
import type { AgentMessage, ApiMessage, Offer } from '@loam/contracts';

import type { AttemptJournal } from '../journal/attempt-journal.ts';
import type { Journals } from '../journal/journals.ts';
import type { JournalRecord } from '../journal/record.ts';
import type { Log } from '../log.ts';
import type { RunningAttempt } from './run-attempt.ts';
import { ToldSteps } from './told-steps.ts';

export interface AttemptsOptions {
  readonly journals: Journals;
  readonly slots: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Starts to work on the attempt. */
  readonly run: (journal: AttemptJournal, onRecord: (record: JournalRecord) => void) => RunningAttempt;
  /** The farm has got a step and its log. */
  readonly onTold?: (stepId: StepId) => void;
}

export interface AttemptsListener {
  /** A journal has something new. */
  onRecord(record: JournalRecord): void;
  /** A process would not die: the agent takes no more work. */
  onQuarantine(reason: string): void;
  /** An attempt is gone without an end. Only a new `hello`, which does not name it, tells the API so. */
  onLost(): void;
}

type Hello = Extract<AgentMessage, { type: 'hello' }>['attempts'];
type Welcome = Extract<ApiMessage, { type: 'welcome' }>['attempts'];

/**
 * The attempts of this agent: those that run, those that a killed agent left and that wait to be resumed, and those that
 * ended but whose records the API has not got yet.
 */
export class Attempts {
  readonly #options: AttemptsOptions;
  readonly #running = new Map<string, RunningAttempt>();
  readonly #told: ToldSteps;
  #listener: AttemptsListener = { onRecord() {}, onQuarantine() {}, onLost() {} };
  #quarantine: string | undefined;
  #stopping = false;

  constructor(options: AttemptsOptions) {
    this.#options = options;
    this.#told = new ToldSteps(options.onTold ?? (() => undefined));
  }

  listen(listener: AttemptsListener): void {
    this.#listener = listener;
  }

  get running(): number {
    return this.#running.size;
  }

  /** Why no work is taken any more; undefined when it is. */
  get quarantine(): string | undefined {
    return this.#quarantine;
  }

  /** A process would not die: from now on no work is taken. */
  isolate(reason: string): void {
    this.#quarantine ??= reason;
    this.#options.log.error({ reason }, 'no more work is taken');
    this.#listener.onQuarantine(this.#quarantine);
  }

  /** What `hello` says. An attempt that is still to be resumed counts as running. */
  report(): Hello {
    return this.#options.journals.all().map((journal) => ({
      attemptId: journal.attemptId,
      fence: journal.fence,
      running: !journal.state.ended && (this.#running.has(journal.attemptId) || this.#takesWork),
      lastSeq: journal.lastSeq,
    }));
  }

  /** Takes the API's word on what `hello` named, and gives the journals to send from. What it does not name is not ours any more. */
  welcome(attempts: Welcome): AttemptJournal[] {
    const byId = new Map(attempts.map((attempt) => [attempt.attemptId, attempt]));
    for (const journal of this.#options.journals.all()) {
      const known = byId.get(journal.attemptId);
      if (!known?.live) {
        this.stale(journal.attemptId);
        continue;
      }
      if (!this.#running.has(journal.attemptId)) journal.advanceTo(known.ackedSeq);
      this.ack(journal.attemptId, known.ackedSeq);
      const isWaiting = !journal.state.ended && !this.#running.has(journal.attemptId);
      if (isWaiting && this.#takesWork) this.#start(journal);
    }
    return this.#options.journals.all();
  }

  /** The journal of the attempt when it is taken, else why not. An offer that was taken before is taken again. */
  offer(offer: Offer): AttemptJournal | string {
    const known = this.#options.journals.get(offer.attemptId);
    if (known) return known.fence === offer.fence ? known : 'this attempt is here already under another fence';
    if (this.#quarantine !== undefined) return `quarantined: ${this.#quarantine}`;
    if (this.#stopping) return 'the agent is stopping';
    if (this.#taken() >= this.#options.slots) return 'no free slot';
    try {
      const journal = this.#options.journals.create(offer);
      this.#start(journal);
      return journal;
    } catch (error) {
      this.#options.log.error({ err: error, attemptId: offer.attemptId }, 'cannot take the attempt');
      return error instanceof Error ? error.message : 'cannot write the journal';
    }
  }

  cancel(attemptId: string): void {
    this.#running.get(attemptId)?.cancel();
  }

  ack(attemptId: string, seq: number): void {
    const journal = this.#options.journals.get(attemptId);
    if (journal === undefined) return;
    journal.ack(seq);
    this.#told.acknowledged(journal);
    if (journal.isSettled && !this.#running.has(attemptId)) this.#remove(journal);
  }

  /** The attempt is not ours any more: its journal goes, and what runs of it ends. */
  stale(attemptId: string): void {
    const journal = this.#options.journals.get(attemptId);
    if (journal?.state.ended === false) this.#options.log.warn({ attemptId }, 'the farm has given this attempt up');
    this.#running.get(attemptId)?.abandon();
    if (journal) this.#remove(journal);
  }

  /**
   * Takes no more work, gives what runs `graceMs` to end, and then leaves the rest to be resumed by the next process.
   * Resolves when nothing runs.
   */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    const ended = Promise.allSettled([...this.#running.values()].map((running) => running.ended));
    const controller = new AbortController();
    const grace = sleep(this.#options.clock, graceMs, controller.signal).catch(() => undefined);
    await Promise.race([ended, grace]);
    controller.abort();
    for (const running of this.#running.values()) running.abandon();
    await ended;
  }

  get #takesWork(): boolean {
    return !this.#stopping && this.#quarantine === undefined;
  }

  /** Taken slots: by what runs, and by what is still to be resumed. */
  #taken(): number {
    const waiting = this.#options.journals
      .all()
      .filter((journal) => !journal.state.ended && !this.#running.has(journal.attemptId));
    return this.#running.size + waiting.length;
  }

  #remove(journal: AttemptJournal): void {
    this.#told.forget(journal.attemptId);
    this.#options.journals.remove(journal);
  }

  #start(journal: AttemptJournal): void {
    const { attemptId } = journal;
    this.#options.log.info({ attemptId, resumed: journal.lastSeq > 0 }, 'attempt started');
    const running = this.#options.run(journal, (record) => {
      this.#told.written(journal, record);
      this.#listener.onRecord(record);
    });
    this.#running.set(attemptId, running);
    const finish = (facts: object): void => {
      this.#running.delete(attemptId);
      this.#options.log.info({ attemptId, ...facts }, 'attempt ended');
      if (journal.isSettled) this.#remove(journal);
    };
    void running.ended.then(
      () => finish({}),
      (error: unknown) => {
        finish({ err: error });
        // Its end could not be written down: neither can a resumed one be.
        this.#remove(journal);
        this.#listener.onLost();
      },
    );
  }
}
