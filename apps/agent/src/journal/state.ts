import type { BuildRecord } from '@loam/contracts';

import type { JournalRecord } from './record.ts';

/** A step run that has started and not ended. */
export interface OpenStep {
  readonly position: string;
  readonly kind: Extract<BuildRecord, { type: 'step-started' }>['kind'];
  readonly startedAt: number;
  readonly logBytes: number;
}

/** What all records up to one add up to: enough to go on with an attempt after a crash. Plain JSON. */
export interface AttemptState {
  readonly ended: boolean;
  /** By step run id. */
  readonly open: Readonly<Record<string, OpenStep>>;
  /** Step ids of the steps that succeeded, by position. */
  readonly finished: Readonly<Record<string, string>>;
}

export const initialState: AttemptState = { ended: false, open: {}, finished: {} };

export function nextState(state: AttemptState, record: JournalRecord): AttemptState {
  switch (record.type) {
    case 'step-started': {
      const step: OpenStep = { position: record.position, kind: record.kind, startedAt: record.at, logBytes: 0 };
      return { ...state, open: { ...state.open, [record.stepRunId]: step } };
    }
    case 'log': {
      const step = state.open[record.stepRunId];
      if (!step) return state;
      const logBytes = record.offset + record.bytes.length;
      return { ...state, open: { ...state.open, [record.stepRunId]: { ...step, logBytes } } };
    }
    case 'step-ended': {
      const { [record.stepRunId]: _, ...open } = state.open;
      if (record.outcome === 'failed' || record.outcome === 'cancelled' || record.stepId === null) {
        return { ...state, open };
      }
      return { ...state, open, finished: { ...state.finished, [record.position]: record.stepId } };
    }
    case 'attempt-ended':
      return { ...state, ended: true };
    case 'step-progress':
      return state;
  }
}
