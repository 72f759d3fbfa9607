import type { BuildRecord, NumberedRecord } from '@loam/contracts';
import { describe, expect, test } from 'vitest';

import { stepIdOf, stepRecords, succeeded } from '../../../testing/scripted-agent.ts';
import { foldRecords } from './fold-records.ts';

const numbered = (records: readonly BuildRecord[]): NumberedRecord[] =>
  records.map((record, index) => ({ seq: index + 1, record }));
const fold = (...records: BuildRecord[]) => foldRecords(numbered(records));
const logOf = (stepRunId: string, offset: number, text: string): BuildRecord => ({
  type: 'log',
  at: 1,
  stepRunId,
  stream: 'stdout',
  offset,
  data: Buffer.from(text).toString('base64'),
});
const progress = (position: string, currentBytes: number): BuildRecord => ({
  type: 'step-progress',
  at: 100,
  position,
  phase: 'downloading',
  elapsedMs: 30,
  currentBytes,
  totalBytes: 100,
});

describe('what records amount to', () => {
  test('a whole step is one row, one log, one node of the graph', () => {
    const step = { position: '1', stepRunId: 'r1', stepId: stepIdOf(2), parentId: stepIdOf(1), log: 'hello\n', at: 50 };
    const { changes, logs } = fold(...stepRecords(step), succeeded(stepIdOf(2)));
    expect(changes.stepRuns).toMatchObject([{ id: 'r1', position: '1', state: 'built', isNew: true, endedAt: 50 }]);
    expect(changes.logs).toEqual([{ id: 'r1', sizeBytes: 6, endedAt: 50 }]);
    expect(changes.steps).toMatchObject([
      { id: stepIdOf(2), parentId: stepIdOf(1), logId: 'r1', hits: 0, sizeBytes: 1000 },
    ]);
    expect(changes.ended).toMatchObject({ outcome: 'succeeded', result: stepIdOf(2) });
    expect(logs.map((piece) => [piece.logId, piece.offset, piece.bytes.toString()])).toEqual([['r1', 0, 'hello\n']]);
  });

  test('pieces of a log that follow each other are one write; a gap, an overlap or another log between begins another', () => {
    const { logs, changes } = fold(
      logOf('a', 0, 'one'),
      logOf('a', 3, 'two'),
      logOf('b', 0, 'x'),
      logOf('a', 6, 'z'),
      logOf('a', 2, 'etwoz'),
    );
    expect(logs.map((piece) => `${piece.logId}@${piece.offset}=${piece.bytes.toString()}`)).toEqual([
      'a@0=onetwo',
      'b@0=x',
      'a@6=z',
      'a@2=etwoz',
    ]);
    expect(changes.logs).toEqual([
      { id: 'a', sizeBytes: 7, endedAt: null },
      { id: 'b', sizeBytes: 1, endedAt: null },
    ]);
  });

  test('of progress the last counts: in the row of a step that began here, else by its position, and not after its end', () => {
    const began = fold(
      ...stepRecords({ position: '0', stepRunId: 'r0', kind: 'from' }).slice(0, 1),
      progress('0', 1),
      progress('0', 40),
    );
    expect([began.changes.progress, began.changes.stepRuns[0]]).toMatchObject([
      [],
      { currentBytes: 40, phaseStartedAt: 70 },
    ]);
    expect(fold(progress('0', 1), progress('0', 60)).changes.progress).toEqual([
      { position: '0', phase: 'downloading', phaseStartedAt: 70, currentBytes: 60, totalBytes: 100 },
    ]);
    expect(
      fold(progress('0', 1), ...stepRecords({ position: '0', stepRunId: 'r0' }).slice(-1)).changes.progress,
    ).toEqual([]);
  });

  test('a step that was built and then hit keeps what it cost and its log; a failed one is no node', () => {
    const built = stepRecords({ position: '1', stepRunId: 'r1', stepId: stepIdOf(7), log: 'x', at: 10 });
    const hit = stepRecords({ position: '2', stepRunId: 'r2', stepId: stepIdOf(7), outcome: 'hit', at: 20 });
    expect(fold(...built, ...hit).changes.steps).toMatchObject([
      { id: stepIdOf(7), logId: 'r1', durationMs: 12.5, sizeBytes: 1000, hits: 1, at: 20, record: { kind: 'run' } },
    ]);
    // An attempt that was lost had executed it: only the hit tells what it printed.
    const told = stepRecords({ position: '2', stepRunId: 'r2', stepId: stepIdOf(7), outcome: 'hit', log: 'late' });
    expect(fold(...told).changes.steps).toMatchObject([{ logId: 'r2', durationMs: null, hits: 1 }]);
    const failed = fold(...stepRecords({ position: '1', stepRunId: 'r', outcome: 'failed', stepId: stepIdOf(8) }));
    expect([failed.changes.steps, failed.changes.stepRuns[0]?.state]).toEqual([[], 'failed']);
  });

  test('an end whose start was stored before is a change of that row, not a new one', () => {
    const [, end] = stepRecords({ position: '3', stepRunId: 'r3', stepId: stepIdOf(1), at: 1_000 });
    expect(fold(end as BuildRecord).changes.stepRuns).toMatchObject([
      { id: 'r3', isNew: false, state: 'built', startedAt: 988 },
    ]);
  });

  test('however a run of records is cut, its log bytes and last states are the same', () => {
    const records = [0, 1, 2].flatMap((n) =>
      stepRecords({ position: String(n), stepRunId: `r${n}`, stepId: stepIdOf(n + 1), log: `step ${n}\n` }),
    );
    const whole = foldRecords(numbered(records));
    for (let cut = 1; cut < records.length; cut += 1) {
      const parts = [foldRecords(numbered(records.slice(0, cut))), foldRecords(numbered(records.slice(cut)))];
      const bytes = (list: readonly { logs: readonly { bytes: Buffer }[] }[]): string =>
        list.flatMap(({ logs }) => logs.map((piece) => piece.bytes.toString())).join('');
      expect(bytes(parts)).toBe(bytes([whole]));
      const last = new Map(parts.flatMap(({ changes }) => changes.stepRuns.map((run) => [run.id, run.state])));
      expect(last).toEqual(new Map(whole.changes.stepRuns.map((run) => [run.id, run.state])));
    }
  });
});
