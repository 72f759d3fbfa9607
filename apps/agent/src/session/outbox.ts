import type { NumberedRecord } from '@loam/contracts';

import type { AttemptJournal } from '../journal/attempt-journal.ts';
import type { Link } from './link.ts';

const messageBytes = 128 * 1024;
const maxUnackedBytes = 4 * 1024 * 1024;
const maxUnackedRecords = 4096;
const maxBufferedBytes = 1 * 1024 * 1024;

interface Lane {
  readonly journal: AttemptJournal;
  sentSeq: number;
  /** Messages that are not acknowledged yet. */
  inFlight: { readonly lastSeq: number; readonly bytes: number }[];
}

/**
 * Sends what the journals hold: in order, each record once per link, and no further ahead of the acknowledgements than the
 * window allows. All records that one turn of the event loop brought go in one message.
 */
export class Outbox {
  readonly #lanes = new Map<string, Lane>();
  #link: Link | undefined;
  #scheduled = false;

  /** A new link: nothing has been sent on it yet. */
  attach(link: Link): void {
    this.#link = link;
    this.#lanes.clear();
  }

  detach(): void {
    this.#link = undefined;
    this.#lanes.clear();
  }

  /** Begins to send an attempt's records, after those that the API has. */
  open(journal: AttemptJournal): void {
    if (!this.#link) return;
    this.#lanes.set(journal.attemptId, { journal, sentSeq: journal.ackedSeq, inFlight: [] });
    this.pump();
  }

  drop(attemptId: string): void {
    this.#lanes.delete(attemptId);
  }

  /** There may be something to send. */
  pump(): void {
    if (this.#scheduled || !this.#link) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#link) for (const lane of this.#lanes.values()) this.#send(lane, this.#link);
    });
  }

  #send(lane: Lane, link: Link): void {
    const { journal } = lane;
    while (lane.sentSeq < journal.lastSeq && link.bufferedBytes < maxBufferedBytes) {
      lane.inFlight = lane.inFlight.filter((message) => message.lastSeq > journal.ackedSeq);
      const unackedBytes = lane.inFlight.reduce((sum, message) => sum + message.bytes, 0);
      if (unackedBytes >= maxUnackedBytes || lane.sentSeq - journal.ackedSeq >= maxUnackedRecords) return;
      const records = journal.read(lane.sentSeq + 1, messageBytes);
      const last = records.at(-1);
      if (!last) return;
      link.send({ type: 'records', attemptId: journal.attemptId, fence: journal.fence, records });
      lane.sentSeq = last.seq;
      lane.inFlight.push({ lastSeq: last.seq, bytes: weigh(records) });
    }
  }
}

/** About how long the records are as JSON. */
function weigh(records: readonly NumberedRecord[]): number {
  return records.reduce((sum, { record }) => sum + 300 + (record.type === 'log' ? record.data.length : 0), 0);
}
