import type { BuildRecord, NumberedRecord } from '@loam/contracts';
import type { AttemptChanges, LogChange, StepChange, StepKindText, StepRunChange } from '@loam/db';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Started = Extract<BuildRecord, { type: 'step-started' }>;
type Ended = Extract<BuildRecord, { type: 'step-ended' }>;
type Progress = Extract<BuildRecord, { type: 'step-progress' }>;

/** Bytes of a log that belong together, for one write. */
export interface LogPiece {
  readonly logId: string;
  readonly offset: number;
  readonly bytes: Buffer;
}

/**
 * What a run of records amounts to: one change a row, however many records there are of it, so that storing a thousand
 * costs as many statements as storing one.
 */
export function foldRecords(records: readonly NumberedRecord[]): { changes: AttemptChanges; logs: LogPiece[] } {
  const folder = new Folder();
  for (const { record } of records) folder.add(record);
  return { changes: folder.changes(), logs: folder.logPieces() };
}

class Folder {
  readonly #stepRuns = new Map<string, Mutable<StepRunChange>>();
  /** The step run that is under way at a position, as far as these records say. */
  readonly #current = new Map<string, Mutable<StepRunChange>>();
  readonly #progress = new Map<string, Progress>();
  readonly #logs = new Map<string, Mutable<LogChange>>();
  readonly #pieces: { logId: string; offset: number; parts: Buffer[]; end: number }[] = [];
  readonly #steps = new Map<string, Mutable<StepChange>>();
  readonly #baseImages: AttemptChanges['baseImages'][number][] = [];
  #ended: AttemptChanges['ended'];

  add(record: BuildRecord): void {
    switch (record.type) {
      case 'step-started':
        this.#start(record);
        break;
      case 'step-progress':
        this.#advance(record);
        break;
      case 'log':
        this.#log(record.stepRunId, record.offset, Buffer.from(record.data, 'base64'));
        break;
      case 'step-ended':
        this.#end(record);
        break;
      case 'attempt-ended': {
        const { outcome, at, result, error } = record;
        this.#ended = { outcome, at, result, error };
        break;
      }
    }
  }

  changes(): AttemptChanges {
    return {
      stepRuns: [...this.#stepRuns.values()],
      progress: [...this.#progress.values()].map(({ position, phase, at, elapsedMs, currentBytes, totalBytes }) => ({
        position,
        phase,
        phaseStartedAt: startOfPhase(at, elapsedMs),
        currentBytes,
        totalBytes,
      })),
      logs: [...this.#logs.values()],
      steps: [...this.#steps.values()],
      baseImages: this.#baseImages,
      ...(this.#ended === undefined ? {} : { ended: this.#ended }),
    };
  }

  logPieces(): LogPiece[] {
    return this.#pieces.map(({ logId, offset, parts }) => ({
      logId,
      offset,
      bytes: parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts),
    }));
  }

  #start({ stepRunId: id, position, kind, at }: Started): void {
    const run = { ...blank(id, position, kind), isNew: true, startedAt: at };
    this.#stepRuns.set(id, run);
    this.#current.set(position, run);
    this.#progress.delete(position);
  }

  #advance(record: Progress): void {
    const run = this.#current.get(record.position);
    if (run === undefined) this.#progress.set(record.position, record);
    else {
      const { phase, at, elapsedMs, currentBytes, totalBytes } = record;
      Object.assign(run, { phase, phaseStartedAt: startOfPhase(at, elapsedMs), currentBytes, totalBytes });
    }
  }

  #log(logId: string, offset: number, bytes: Buffer): void {
    const end = offset + bytes.length;
    const log = this.#logs.get(logId);
    if (log === undefined) this.#logs.set(logId, { id: logId, sizeBytes: end, endedAt: null });
    else log.sizeBytes = Math.max(log.sizeBytes, end);
    const last = this.#pieces.at(-1);
    if (last?.logId === logId && last.end === offset) {
      last.parts.push(bytes);
      last.end = end;
    } else this.#pieces.push({ logId, offset, parts: [bytes], end });
  }

  #end(record: Ended): void {
    const { stepRunId: id, position, at, outcome } = record;
    const kind = kindOfOp(record.op);
    const run = this.#stepRuns.get(id) ?? {
      ...blank(id, position, kind),
      startedAt: Math.round(at - record.durationMs),
    };
    this.#stepRuns.set(id, run);
    this.#current.delete(position);
    this.#progress.delete(position);
    Object.assign(run, {
      state: outcome,
      stepId: record.stepId,
      parentId: record.parentId,
      endedAt: at,
      durationMs: record.durationMs,
      phases: record.phases ?? null,
      sizeBytes: record.sizeBytes,
      exit: record.exit,
      error: record.error,
    });
    const log = this.#logs.get(id);
    if (log !== undefined) log.endedAt = at;
    else if (record.logBytes > 0) this.#logs.set(id, { id, sizeBytes: record.logBytes, endedAt: at });
    if (record.stepId !== null && (outcome === 'hit' || outcome === 'built' || outcome === 'shared')) {
      this.#hold(record, record.stepId, run.kind);
    }
    if (record.image) {
      const { name, digest, resolvedAtMs } = record.image;
      const same = this.#baseImages.findIndex((image) => image.name === name && image.platform === record.platform);
      if (same !== -1) this.#baseImages.splice(same, 1);
      this.#baseImages.push({ name, platform: record.platform, digest, resolvedAt: Math.round(resolvedAtMs) });
    }
  }

  #hold(record: Ended, id: string, kind: StepKindText): void {
    const wasExecuted = record.outcome === 'built';
    const earlier = this.#steps.get(id);
    this.#steps.set(id, {
      id,
      parentId: record.parentId,
      kind,
      op: record.op,
      platform: record.platform,
      record: record.record ?? earlier?.record ?? null,
      copiesFrom: record.copiesFrom.length > 0 ? record.copiesFrom : (earlier?.copiesFrom ?? []),
      sizeBytes: record.sizeBytes ?? earlier?.sizeBytes ?? null,
      durationMs: wasExecuted ? record.durationMs : (earlier?.durationMs ?? null),
      // A hit that tells a log: nobody had told it when the step was executed.
      logId: wasExecuted || record.logBytes > 0 ? record.stepRunId : (earlier?.logId ?? null),
      hits: (earlier?.hits ?? 0) + (wasExecuted ? 0 : 1),
      at: Math.max(record.at, earlier?.at ?? 0),
    });
  }
}

function blank(id: string, position: string, kind: StepKindText): Mutable<StepRunChange> {
  return {
    id,
    position,
    kind,
    state: 'running',
    isNew: false,
    stepId: null,
    parentId: null,
    phase: null,
    currentBytes: null,
    totalBytes: null,
    startedAt: 0,
    endedAt: null,
    durationMs: null,
    sizeBytes: null,
    exit: null,
    error: null,
    phaseStartedAt: null,
    phases: null,
  };
}

/** By the agent's clock, as all times of a step run are. An agent of an older version does not tell it. */
function startOfPhase(at: number, elapsedMs: number | undefined): number | null {
  return elapsedMs === undefined ? null : Math.round(at - elapsedMs);
}

/** Ended records carry the op as it is written, which begins with its kind. */
function kindOfOp(op: string): StepKindText {
  const word = /^\(\s*(from|run|copy)\b/.exec(op)?.[1];
  return (word as StepKindText | undefined) ?? 'run';
}
