import { formatPlatform, type Platform } from '@loam/backend';
import { toLoamError, type Clock, type IdSource, type PublicError } from '@loam/base';
import type { BuildEvent, BuildOutcome, StepEnded, StepProgress, StepStarted } from '@loam/engine';

import type { AttemptJournal } from '../journal/attempt-journal.ts';
import type { JournalRecord } from '../journal/record.ts';
import { LogGatherer } from './log-gatherer.ts';

export interface RecorderOptions {
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly platform: Platform;
  /** Called after each record. */
  readonly onRecord: (record: JournalRecord) => void;
  /** The journal cannot take any more, so the build has to end. */
  readonly onFailure: () => void;
}

interface StepRun {
  readonly id: string;
  readonly started: StepStarted;
  readonly startedAtMs: number;
  readonly log: LogGatherer;
  /** A step that had succeeded before the agent was killed, or containerd, is told about again only if it turns out to be more than a hit. */
  isHeld: boolean;
  lastProgress: { readonly phase: string; readonly atMs: number } | undefined;
}

const progressEveryMs = 200;

/** The records of hits carry their step's own record up to this size: the farm mostly knows it from before. */
const maxHitRecordBytes = 16 * 1024;

/** Turns what the engine tells into records of an attempt's journal. */
export class Recorder {
  readonly #journal: AttemptJournal;
  readonly #options: RecorderOptions;
  readonly #running = new Map<string, StepRun>();
  #failure: unknown;
  #muted = false;

  constructor(journal: AttemptJournal, options: RecorderOptions) {
    this.#journal = journal;
    this.#options = options;
  }

  /** Closes the step runs that a killed agent had left open. The farm has their logs up to what the journal held. */
  endInterrupted(ops: ReadonlyMap<string, string>): void {
    for (const [stepRunId, step] of Object.entries(this.#journal.state.open)) {
      const at = this.#options.clock.now();
      this.#write({
        type: 'step-ended',
        at,
        position: step.position,
        stepRunId,
        outcome: 'cancelled',
        stepId: null,
        parentId: null,
        copiesFrom: [],
        op: ops.get(step.position) ?? '',
        platform: formatPlatform(this.#options.platform),
        record: null,
        sizeBytes: null,
        durationMs: Math.max(0, at - step.startedAt),
        logBytes: step.logBytes,
        exit: null,
        error: null,
      });
    }
  }

  /** Nothing that comes from now on is written down: the attempt is to be resumed later, or is not ours any more. */
  mute(): void {
    this.#muted = true;
    for (const run of this.#running.values()) run.log.discard();
  }

  onEvent(event: BuildEvent): void {
    switch (event.type) {
      case 'step-started':
        return this.#start(event);
      case 'step-progress':
        return this.#progress(event);
      case 'step-log': {
        const run = this.#of(event.position);
        this.#release(run);
        return run.log.add(event.stream, event.offset, event.bytes);
      }
      case 'step-ended':
        return this.#end(event);
    }
  }

  /** Writes the last record. */
  endAttempt(outcome: BuildOutcome): void {
    const at = this.#options.clock.now();
    const failure = this.#failure ?? (outcome.kind === 'failed' ? outcome.error : undefined);
    const error: PublicError | null = failure === undefined ? null : toLoamError(failure).toPublic();
    this.#write(
      {
        type: 'attempt-ended',
        at,
        outcome: failure === undefined ? outcome.kind : 'failed',
        result: failure === undefined && outcome.kind === 'succeeded' ? outcome.stepId : null,
        error,
      },
      true,
    );
  }

  #start(event: StepStarted): void {
    const id = this.#options.ids.next('stepRun');
    const log = new LogGatherer(this.#options.clock, (stream, offset, bytes) =>
      this.#write({ type: 'log', at: this.#options.clock.now(), stepRunId: id, stream, offset, bytes }),
    );
    const startedAtMs = this.#options.clock.now();
    const run = { id, started: event, startedAtMs, log, isHeld: true, lastProgress: undefined };
    this.#running.set(event.position, run);
    if (this.#journal.state.finished[event.position] === undefined) this.#release(run);
  }

  #progress(event: StepProgress): void {
    const run = this.#of(event.position);
    const atMs = this.#options.clock.now();
    if (run.isHeld) return;
    const isSoon = run.lastProgress?.phase === event.phase && atMs - run.lastProgress.atMs < progressEveryMs;
    if (isSoon && event.currentBytes !== event.totalBytes) return;
    run.lastProgress = { phase: event.phase, atMs };
    this.#write({
      type: 'step-progress',
      at: atMs,
      position: event.position,
      phase: event.phase,
      elapsedMs: Math.round(event.elapsedMs),
      currentBytes: event.currentBytes ?? null,
      totalBytes: event.totalBytes ?? null,
    });
  }

  #end(event: StepEnded): void {
    const run = this.#of(event.position);
    this.#running.delete(event.position);
    const isKnown = event.outcome === 'hit' && event.stepId === this.#journal.state.finished[event.position];
    if (run.isHeld && isKnown) return;
    this.#release(run);
    run.log.flush();
    const { record } = event;
    const isHuge = event.outcome === 'hit' && record !== undefined && sizeOf(record) > maxHitRecordBytes;
    this.#write({
      type: 'step-ended',
      at: this.#options.clock.now(),
      position: event.position,
      stepRunId: run.id,
      outcome: event.outcome,
      stepId: event.stepId ?? null,
      parentId: event.parentId ?? null,
      copiesFrom: record?.kind === 'copy-build' ? [record.from] : [],
      op: run.started.op,
      platform: record?.platform ?? formatPlatform(this.#options.platform),
      record: isHuge ? null : (record ?? null),
      image: event.image ?? null,
      sizeBytes: event.sizeBytes ?? null,
      durationMs: event.durationMs,
      ...(event.phases === undefined ? {} : { phases: [...event.phases] }),
      logBytes: event.logBytes,
      exit: event.exit ?? null,
      error: event.error ?? null,
    });
  }

  #release(run: StepRun): void {
    if (!run.isHeld) return;
    run.isHeld = false;
    const { position, kind } = run.started;
    this.#write({ type: 'step-started', at: run.startedAtMs, position, stepRunId: run.id, kind });
  }

  #of(position: string): StepRun {
    const run = this.#running.get(position);
    if (!run) throw new Error(`the engine told of step ${position}, which has not started`);
    return run;
  }

  #write(record: JournalRecord, isLast = false): void {
    if (this.#muted || (this.#failure !== undefined && !isLast)) return;
    try {
      this.#journal.append(record);
    } catch (error) {
      if (isLast) throw error;
      this.#failure = error;
      this.#options.onFailure();
      return;
    }
    this.#options.onRecord(record);
  }
}

function sizeOf(value: unknown): number {
  return JSON.stringify(value).length;
}
