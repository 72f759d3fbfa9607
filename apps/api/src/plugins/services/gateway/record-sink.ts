import { isLoamError, sleep, type Clock } from '@loam/base';
import type { NumberedRecord } from '@loam/contracts';
import { isUnavailable, type Applied, type Database, type Writer } from '@loam/db';
import type { LogStore } from '@loam/logs';

import type { Bus } from '../bus.ts';
import type { Tally } from '../tally.ts';
import { foldRecords, type LogPiece } from './fold-records.ts';

export interface SinkEvents {
  ack(seq: number): void;
  /** The attempt lost its right to write. */
  stale(): void;
  ended(): void;
  /** Records came that do not follow the ones before: the link is out of step and must be made anew. */
  outOfStep(): void;
  /** More waits than should be held in memory, or that is over: the agent is to be read from no more, or again. */
  pressure(isHigh: boolean): void;
  /** The bytes of a log do not follow what is stored: the attempt can never be completed. */
  damaged(error: unknown): void;
}

export interface SinkParts {
  readonly db: Database;
  readonly logs: LogStore;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly tally: Tally;
  readonly warn: (details: object, message: string) => void;
}

/** So many records, at most, go into one transaction; an attempt that is behind takes several. */
const batchRecordsMax = 5_000;
const batchBytesMax = 8 * 1024 * 1024;
const retryMsMax = 2_000;
/** What waits to be stored, in characters of log: above the one the agent is slowed down, below the other it goes on. */
const pressureHigh = 32 * 1024 * 1024;
const pressureLow = 8 * 1024 * 1024;

/**
 * Stores what one attempt sends over one link. While a batch is being stored, the next one gathers: the busier the
 * attempt, the larger its batches. Log bytes are written first, at their offsets (doing that twice changes nothing), then
 * everything else in one transaction with the number of the last record; only then is that number acknowledged. A
 * database that is away is waited for: the agent keeps what is not acknowledged.
 */
export class RecordSink {
  readonly #writer: Writer;
  readonly #parts: SinkParts;
  readonly #events: SinkEvents;
  readonly #stopping = new AbortController();
  #waiting: NumberedRecord[] = [];
  #acked: number;
  #isBusy = false;
  #isOver = false;
  #waitingChars = 0;
  #isPressed = false;
  /** Step runs that are known to be this attempt's. */
  readonly #own = new Set<string>();

  constructor(writer: Writer, ackedSeq: number, parts: SinkParts, events: SinkEvents) {
    this.#writer = writer;
    this.#acked = ackedSeq;
    this.#parts = parts;
    this.#events = events;
  }

  /** It has stored the end of the attempt, or will store nothing more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  push(records: readonly NumberedRecord[]): void {
    if (this.#isOver) {
      this.#events.ack(this.#acked);
      return;
    }
    for (const record of records) this.#waiting.push(record);
    this.#weigh(records, 1);
    if (!this.#isBusy) void this.#run();
  }

  /** Stores nothing more. What is being stored is finished, its acknowledgement may be lost. */
  close(): void {
    this.#isOver = true;
    this.#waiting = [];
    this.#weigh([], 1);
    this.#stopping.abort();
  }

  async #run(): Promise<void> {
    this.#isBusy = true;
    let delayMs = 100;
    while (this.#waiting.length > 0) {
      const batch = this.#next();
      if (batch === undefined) break;
      try {
        await this.#store(batch);
        this.#weigh(batch, -1);
        delayMs = 100;
      } catch (error) {
        if (this.#stopping.signal.aborted) break;
        if (isLoamError(error, 'logs.gap')) {
          this.#events.damaged(error);
          this.close();
          break;
        }
        const message = isUnavailable(error) ? 'the database is away; records wait' : 'records could not be stored yet';
        this.#parts.warn({ err: error, attemptId: this.#writer.attemptId }, message);
        this.#waiting.unshift(...batch);
        await sleep(this.#parts.clock, delayMs, this.#stopping.signal).catch(() => undefined);
        delayMs = Math.min(delayMs * 2, retryMsMax);
      }
    }
    this.#isBusy = false;
  }

  #weigh(records: readonly NumberedRecord[], sign: 1 | -1): void {
    for (const { record } of records) if (record.type === 'log') this.#waitingChars += sign * record.data.length;
    if (this.#waiting.length === 0) this.#waitingChars = 0;
    const isHigh = this.#waitingChars > (this.#isPressed ? pressureLow : pressureHigh);
    if (isHigh === this.#isPressed) return;
    this.#isPressed = isHigh;
    this.#events.pressure(isHigh);
  }

  /** The records to store next: those that are new, in one unbroken row. */
  #next(): NumberedRecord[] | undefined {
    const fresh = this.#waiting.filter((record) => record.seq > this.#acked);
    if (fresh.length === 0) {
      this.#waiting = [];
      this.#weigh([], 1);
      this.#events.ack(this.#acked);
      return undefined;
    }
    const batch: NumberedRecord[] = [];
    let expected = this.#acked + 1;
    let bytes = 0;
    let at = 0;
    for (; at < fresh.length && batch.length < batchRecordsMax && bytes < batchBytesMax; at++) {
      const record = fresh[at] as NumberedRecord;
      if (record.seq < expected) continue;
      if (record.seq > expected) break;
      batch.push(record);
      expected++;
      if (record.record.type === 'log') bytes += record.record.data.length;
    }
    if (batch.length === 0) {
      this.#events.outOfStep();
      this.close();
      return undefined;
    }
    this.#waiting = fresh.slice(at);
    return batch;
  }

  async #store(batch: readonly NumberedRecord[]): Promise<void> {
    const { db, clock } = this.#parts;
    const { changes, logs } = foldRecords(batch);
    for (const run of changes.stepRuns) if (run.isNew) this.#own.add(run.id);
    await this.#writeLogs(logs);
    const endedLogs = changes.logs.filter((log) => log.endedAt !== null).map((log) => log.id);
    await Promise.all(endedLogs.map((id) => this.#parts.logs.end(id)));
    const lastSeq = (batch.at(-1) as NumberedRecord).seq;
    const applied = await db.attempts.apply(this.#writer, { expectedSeq: this.#acked, lastSeq, changes }, clock.now());
    if (applied.kind === 'applied' && applied.ended) this.#isOver = true;
    this.#answer(applied, batch, lastSeq);
    if (applied.kind !== 'applied') return;
    for (const { bytes } of logs) this.#parts.tally.logBytes += bytes.length;
    this.#parts.bus.publish('build', { id: applied.buildId, ended: applied.ended });
    for (const run of changes.stepRuns) {
      if (run.state !== 'running') this.#parts.bus.publish('log-ended', { id: run.id });
    }
    if (!applied.ended) return;
    this.#events.ended();
    // Also of steps that did not come to an end of their own. Whoever follows one and misses this reads it from the rows.
    for (const id of await db.logs.ofAttempt(this.#writer.attemptId).catch(() => [])) {
      this.#parts.bus.publish('log-ended', { id });
    }
  }

  #answer(applied: Applied, batch: readonly NumberedRecord[], lastSeq: number): void {
    if (applied.kind === 'applied') {
      this.#acked = lastSeq;
      this.#events.ack(lastSeq);
    } else if (applied.kind === 'elsewhere') {
      // Sent before and stored, though its acknowledgement was lost; or this sink began without knowing where it stood.
      this.#acked = applied.ackedSeq;
      this.#waiting.unshift(...batch);
    } else {
      this.close();
      this.#events.stale();
    }
  }

  async #writeLogs(pieces: readonly LogPiece[]): Promise<void> {
    // The pieces of one log in order, different logs at the same time.
    const byLog = Map.groupBy(pieces, (piece) => piece.logId);
    await Promise.all(
      [...byLog].map(async ([logId, own]) => {
        if (!(await this.#owns(logId))) return;
        for (const piece of own) {
          try {
            await this.#parts.logs.append(logId, piece.offset, piece.bytes);
          } catch (error) {
            // Nothing new can come for a log that is complete: this is a repetition under a right that is gone.
            if (!isLoamError(error, 'logs.ended')) throw error;
          }
        }
      }),
    );
  }

  /** Whether a log is this attempt's. Its step run may have begun before the link did, so the database is asked then. */
  async #owns(logId: string): Promise<boolean> {
    if (this.#own.has(logId)) return true;
    const attemptId = await this.#parts.db.logs.attemptOf(logId);
    if (attemptId === this.#writer.attemptId) this.#own.add(logId);
    else
      this.#parts.warn({ logId, attemptId: this.#writer.attemptId }, 'an attempt wrote to a log that is not its own');
    return attemptId === this.#writer.attemptId;
  }
}
