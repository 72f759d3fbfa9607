import type { StepId } from '@loam/base';

import type { AttemptJournal } from '../journal/attempt-journal.ts';
import type { JournalRecord } from '../journal/record.ts';

/**
 * Which steps the farm has heard of, with their logs: those whose records it has acknowledged. What an attempt that was lost
 * had built stays untold, though its snapshots are there for the next one.
 */
export class ToldSteps {
  readonly #onTold: (stepId: StepId) => void;
  readonly #waiting = new Map<string, { readonly seq: number; readonly stepId: string }[]>();

  constructor(onTold: (stepId: StepId) => void) {
    this.#onTold = onTold;
  }

  /** A record has just been written to the journal. */
  written(journal: AttemptJournal, record: JournalRecord): void {
    if (record.type !== 'step-ended' || record.stepId === null || record.logBytes === 0) return;
    if (record.outcome === 'failed' || record.outcome === 'cancelled') return;
    const waiting = this.#waiting.get(journal.attemptId) ?? [];
    waiting.push({ seq: journal.lastSeq, stepId: record.stepId });
    this.#waiting.set(journal.attemptId, waiting);
  }

  /** The farm has acknowledged records of the journal. */
  acknowledged(journal: AttemptJournal): void {
    const waiting = this.#waiting.get(journal.attemptId) ?? [];
    while (waiting[0] !== undefined && waiting[0].seq <= journal.ackedSeq) {
      this.#onTold((waiting.shift() as { stepId: string }).stepId as StepId);
    }
    // Of an earlier process only the sum of its records is known.
    if (journal.isSettled) for (const id of Object.values(journal.state.finished)) this.#onTold(id as StepId);
  }

  forget(attemptId: string): void {
    this.#waiting.delete(attemptId);
  }
}
