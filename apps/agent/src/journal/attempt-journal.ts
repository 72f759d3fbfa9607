import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { LoamError } from '@loam/base';
import type { NumberedRecord, Offer } from '@loam/contracts';
import { removeTreeIfFree, removeTreeSync, replaceFileSync } from '@loam/files';

import { encodeFrame, toWire } from './frame.ts';
import type { JournalRecord } from './record.ts';
import type { Reserve } from './reserve.ts';
import { Segment } from './segment.ts';
import { initialState, nextState, type AttemptState } from './state.ts';

export interface JournalOptions {
  /** A segment that is longer gets a successor. 4 MiB unless told. */
  readonly segmentBytes?: number;
  readonly reserve?: Reserve;
}

const offerFile = 'offer.json';

/**
 * What one attempt did, on disk, until the API has it: records numbered from 1 without a gap, and the offer.
 *
 * A record counts as happened when its `write` to the file has returned; from then on it outlives a kill -9 of this process.
 * Nothing is synced to the disk itself: after a loss of power the tail may be missing or torn. It is cut at the first frame
 * that is not sound, and `advanceTo` takes numbering on from what the API says that it has.
 *
 * All methods are synchronous: a record is a few hundred bytes to 64 KiB, and they go to the page cache. Memory does not grow
 * with the journal; what the link has not sent yet is read back from the files.
 */
export class AttemptJournal {
  readonly directory: string;
  readonly offer: Offer;
  readonly #segmentBytes: number;
  readonly #reserve: Reserve | undefined;
  /** Oldest first, never empty; the last one is written to. */
  #segments: Segment[];
  /** Acknowledged ones that somebody else has open. */
  #heldSegments: Segment[] = [];
  #lastSeq: number;
  #ackedSeq = 0;
  #state: AttemptState;
  /** Where the last `read` ended. */
  #cursor: { readonly nextSeq: number; readonly segment: Segment; readonly offset: number } | undefined;
  #open = true;

  private constructor(directory: string, offer: Offer, options: JournalOptions, found: Found) {
    this.directory = directory;
    this.offer = offer;
    this.#segmentBytes = options.segmentBytes ?? 4 * 1024 * 1024;
    this.#reserve = options.reserve;
    this.#segments = found.segments;
    this.#lastSeq = found.lastSeq;
    this.#state = found.state;
    if (this.#segments.length === 0) this.#roll();
  }

  /** Starts a journal. What another attempt of that directory left is dropped. */
  static create(directory: string, offer: Offer, options: JournalOptions = {}): AttemptJournal {
    return storing(directory, () => {
      removeTreeSync(directory);
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      const temporary = join(directory, `${offerFile}.new`);
      writeFileSync(temporary, JSON.stringify(offer), { mode: 0o600 });
      replaceFileSync(temporary, join(directory, offerFile));
      return new AttemptJournal(directory, offer, options, { segments: [], lastSeq: 0, state: initialState });
    });
  }

  /** Opens what an earlier process left, cutting a torn tail. Undefined when there is not even a whole offer. */
  static open(directory: string, options: JournalOptions = {}): AttemptJournal | undefined {
    return storing(directory, () => {
      const offer = readOffer(directory);
      return offer && new AttemptJournal(directory, offer, options, recover(directory));
    });
  }

  get attemptId(): string {
    return this.offer.attemptId;
  }

  get fence(): number {
    return this.offer.fence;
  }

  /** Number of the last record; 0 before the first. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  get ackedSeq(): number {
    return this.#ackedSeq;
  }

  get state(): AttemptState {
    return this.#state;
  }

  /** Whether the API has everything and nothing more will come. */
  get isSettled(): boolean {
    return this.#state.ended && this.#ackedSeq >= this.#lastSeq;
  }

  /**
   * Writes a record and gives its number. Throws `agent.journal-full` when there is no room, and then nothing was written.
   * The last record of an attempt may use the room that is kept free for it.
   */
  append(record: JournalRecord): number {
    if (!this.#open) throw new Error(`the journal of ${this.attemptId} is closed`);
    if (this.#state.ended) throw new Error(`the attempt ${this.attemptId} has ended`);
    try {
      return this.#write(record);
    } catch (error) {
      if (record.type !== 'attempt-ended' || !this.#reserve?.spend()) throw full(this.directory, error);
    }
    return storing(this.directory, () => this.#write(record));
  }

  /** Records from number `from` on, as many as fit into about `maxBytes` of log and JSON, at least one when there is one. */
  read(from: number, maxBytes: number): NumberedRecord[] {
    const records: NumberedRecord[] = [];
    let next = Math.max(from, this.#segments[0]?.firstSeq ?? 1);
    let bytes = 0;
    while (next <= this.#lastSeq && bytes < maxBytes) {
      const start = this.#find(next);
      let { offset } = start;
      for (const { frame, end } of start.segment.frames(offset)) {
        bytes += end - offset;
        offset = end;
        if (frame.kind !== 'record' || frame.seq < next) continue;
        if (frame.seq !== next) throw new Error(`record ${next} of ${this.attemptId} is missing`);
        records.push(toWire(frame.seq, frame.record));
        next += 1;
        if (bytes >= maxBytes || next > this.#lastSeq) break;
      }
      if (next === start.nextSeq) throw new Error(`record ${next} of ${this.attemptId} cannot be read`);
      this.#cursor = { nextSeq: next, segment: start.segment, offset };
    }
    return records;
  }

  /** The API has all records up to `seq`: segments that hold nothing newer are deleted. */
  ack(seq: number): void {
    this.#ackedSeq = Math.max(this.#ackedSeq, Math.min(seq, this.#lastSeq));
    while (this.#segments.length > 1 && (this.#segments[1]?.firstSeq ?? 0) <= this.#ackedSeq + 1) {
      const oldest = this.#segments.shift();
      if (this.#cursor?.segment === oldest) this.#cursor = undefined;
      if (oldest) this.#heldSegments.push(oldest);
    }
    if (this.#heldSegments.length > 0) this.#heldSegments = this.#heldSegments.filter((held) => !held.deleteIfFree());
  }

  /** The API has records that this journal lost with the power: the next one gets the number after them. */
  advanceTo(seq: number): void {
    if (seq <= this.#lastSeq) return;
    this.#lastSeq = seq;
    storing(this.directory, () => this.#roll());
    this.ack(seq);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    for (const segment of this.#segments) segment.close();
  }

  /** Closes and deletes it all. False when somebody has a file of it open: then it can be tried again. */
  remove(): boolean {
    this.close();
    return removeTreeIfFree(this.directory);
  }

  #write(record: JournalRecord): number {
    const current = this.#segments.at(-1);
    const isFull = !current || (current.sizeBytes >= this.#segmentBytes && current.firstSeq <= this.#lastSeq);
    const segment = isFull ? this.#roll() : current;
    const seq = this.#lastSeq + 1;
    segment.append(encodeFrame({ kind: 'record', seq, record }));
    this.#lastSeq = seq;
    this.#state = nextState(this.#state, record);
    return seq;
  }

  #roll(): Segment {
    const segment = Segment.create(this.directory, this.#lastSeq + 1);
    try {
      segment.append(encodeFrame({ kind: 'state', seq: this.#lastSeq, state: this.#state }));
    } catch (error) {
      // The next one has the same name.
      segment.deleteIfFree();
      throw error;
    }
    this.#segments.push(segment);
    return segment;
  }

  #find(seq: number): { nextSeq: number; segment: Segment; offset: number } {
    if (this.#cursor?.nextSeq === seq && this.#cursor.offset < this.#cursor.segment.sizeBytes) return this.#cursor;
    const segment = this.#segments.findLast((candidate) => candidate.firstSeq <= seq);
    if (!segment) throw new Error(`record ${seq} of ${this.attemptId} was dropped`);
    return { nextSeq: seq, segment, offset: 0 };
  }
}

interface Found {
  readonly segments: Segment[];
  readonly lastSeq: number;
  readonly state: AttemptState;
}

/** Reads all segments in order up to the first frame that is not sound, and deletes what is behind it. */
function recover(directory: string): Found {
  const all = readdirSync(directory)
    .toSorted()
    .map((name) => Segment.open(directory, name))
    .filter((segment) => segment !== undefined);
  const kept: Segment[] = [];
  let lastSeq = 0;
  let state = initialState;
  let sound = true;
  for (const segment of all) {
    if (!sound) {
      segment.delete();
      continue;
    }
    let end = 0;
    for (const step of segment.frames(0)) {
      const { frame } = step;
      if (frame.kind === 'state' && end === 0 && frame.seq === segment.firstSeq - 1) {
        ({ state } = frame);
        lastSeq = frame.seq;
      } else if (frame.kind === 'record' && end > 0 && frame.seq === lastSeq + 1) {
        state = nextState(state, frame.record);
        lastSeq = frame.seq;
      } else {
        break;
      }
      ({ end } = step);
    }
    sound = end === segment.sizeBytes;
    if (end === 0) {
      segment.delete();
      sound = false;
    } else {
      if (!sound) segment.truncate(end);
      kept.push(segment);
    }
  }
  return { segments: kept, lastSeq, state };
}

function readOffer(directory: string): Offer | undefined {
  try {
    return JSON.parse(readFileSync(join(directory, offerFile), 'utf8')) as Offer;
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function storing<T>(directory: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw full(directory, error);
  }
}

function full(directory: string, error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return LoamError.of('agent.journal-full', { directory }, { cause: error });
}
