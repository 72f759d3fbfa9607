import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { NumberedRecord, Offer } from '@loam/contracts';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { AttemptJournal } from './attempt-journal.ts';
import { toWire } from './frame.ts';
import { Journals } from './journals.ts';
import type { JournalRecord } from './record.ts';

const offer: Offer = {
  attemptId: 'att_one',
  fence: 7,
  buildId: 'bld_one',
  spec: '((from busybox))',
  context: null,
  secretIds: [],
  timeoutMs: null,
  limits: {},
  refresh: false,
};

let home: string;
beforeEach(() => void (home = mkdtempSync(join(tmpdir(), 'loam-journal-'))));
afterEach(() => rmSync(home, { recursive: true, force: true }));

function log(stepRunId: string, offset: number, bytes: Uint8Array): JournalRecord {
  return { type: 'log', at: 1, stepRunId, stream: 'stdout', offset, bytes };
}

function started(stepRunId: string, position: string): JournalRecord {
  return { type: 'step-started', at: 1, position, stepRunId, kind: 'run' };
}

function ended(stepRunId: string, position: string, outcome: 'built' | 'failed'): JournalRecord {
  return {
    type: 'step-ended',
    at: 2,
    position,
    stepRunId,
    outcome,
    stepId: outcome === 'built' ? 'a'.repeat(64) : null,
    parentId: null,
    copiesFrom: [],
    op: '(run (shell true))',
    platform: 'linux/amd64',
    record: null,
    sizeBytes: null,
    durationMs: 1,
    logBytes: 0,
    exit: null,
    error: null,
  };
}

const attemptEnded: JournalRecord = { type: 'attempt-ended', at: 3, outcome: 'succeeded', result: null, error: null };

const anyRecord: fc.Arbitrary<JournalRecord> = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => log('run_a', 0, bytes)),
  fc.string({ unit: 'binary', maxLength: 60 }).map((position) => started(`run_${position}`, position)),
);

const anyAction = fc.oneof(
  { weight: 5, arbitrary: anyRecord.map((record) => ({ kind: 'append' as const, record })) },
  { weight: 2, arbitrary: fc.double({ min: 0, max: 1, noNaN: true }).map((part) => ({ kind: 'ack' as const, part })) },
  {
    weight: 1,
    arbitrary: fc.double({ min: 0, max: 1, noNaN: true }).map((part) => ({ kind: 'crash' as const, part })),
  },
  { weight: 1, arbitrary: fc.nat({ max: 500 }).map((maxBytes) => ({ kind: 'read' as const, maxBytes })) },
);

function readAll(journal: AttemptJournal, from: number, maxBytes = 200): NumberedRecord[] {
  const all: NumberedRecord[] = [];
  for (let next = from; ;) {
    const records = journal.read(next, maxBytes);
    if (records.length === 0) return all;
    all.push(...records);
    next = (records.at(-1)?.seq ?? 0) + 1;
  }
}

/** Ends the process in the middle of its last write: the newest segment stops at any byte. */
function tear(directory: string, part: number): void {
  const newest = readdirSync(directory)
    .filter((name) => name.startsWith('segment-'))
    .toSorted()
    .at(-1);
  if (newest === undefined) throw new Error('no segment');
  const file = join(directory, newest);
  truncateSync(file, Math.floor(statSync(file).size * part));
}

describe('a journal', () => {
  test('gives back exactly what was not acknowledged, in order, over crashes at any byte and acknowledgements at any time', () => {
    fc.assert(
      fc.property(
        fc.array(anyAction, { maxLength: 80 }),
        fc.integer({ min: 200, max: 2000 }),
        (actions, segmentBytes) => {
          const directory = join(home, 'one');
          let journal = AttemptJournal.create(directory, offer, { segmentBytes });
          let model: NumberedRecord[] = [];
          let acked = 0;
          for (const action of actions) {
            if (action.kind === 'append') {
              const seq = journal.append(action.record);
              model.push(toWire(seq, action.record));
              expect(seq).toBe(model.length);
            } else if (action.kind === 'ack') {
              acked = Math.max(acked, Math.round(model.length * action.part));
              journal.ack(acked);
            } else if (action.kind === 'read') {
              expect(journal.read(acked + 1, action.maxBytes)).toEqual(
                model.slice(acked, acked + journal.read(acked + 1, action.maxBytes).length),
              );
            } else {
              journal.close();
              tear(directory, action.part);
              const reopened = AttemptJournal.open(directory, { segmentBytes });
              if (!reopened) throw new Error('the offer was lost');
              journal = reopened;
              expect(journal.lastSeq).toBeLessThanOrEqual(model.length);
              model = model.slice(0, journal.lastSeq);
              // Only acknowledged records can be missing in front, and the API says which it has.
              if (journal.lastSeq < acked) {
                journal.advanceTo(acked);
                model = Array.from({ length: acked }, (_, index) => toWire(index + 1, attemptEnded));
              }
            }
          }
          const unacked = readAll(journal, acked + 1);
          expect(unacked).toEqual(model.slice(acked));
          journal.close();
        },
      ),
      // Each takes ten times as long under Wine.
      { numRuns: process.platform === 'win32' ? 60 : 300 },
    );
  });

  test('survives a kill between records without losing one', () => {
    const journal = AttemptJournal.create(join(home, 'one'), offer);
    for (let index = 0; index < 50; index += 1) journal.append(log('run_a', index, new Uint8Array([index, 0, 255])));
    // No close: the process is gone.
    const again = AttemptJournal.open(join(home, 'one'));
    expect(again?.lastSeq).toBe(50);
    expect(again?.offer).toEqual(offer);
    expect(readAll(again!, 1)).toEqual(readAll(journal, 1));
  });

  test('cuts garbage behind the last sound record', () => {
    const directory = join(home, 'one');
    const journal = AttemptJournal.create(directory, offer);
    journal.append(started('run_a', '0'));
    journal.close();
    const [segment] = readdirSync(directory).filter((name) => name.startsWith('segment-'));
    appendFileSync(join(directory, segment!), Buffer.alloc(4096, 0));
    const again = AttemptJournal.open(directory)!;
    expect(again.append(started('run_b', '1'))).toBe(2);
    expect(readAll(again, 1).map((record) => record.seq)).toEqual([1, 2]);
  });

  test('knows after a crash which steps were running and which had succeeded, though their records are acknowledged and gone', () => {
    const directory = join(home, 'one');
    const journal = AttemptJournal.create(directory, offer, { segmentBytes: 300 });
    journal.append(started('run_a', '0'));
    journal.append(ended('run_a', '0', 'built'));
    journal.append(started('run_b', '1'));
    for (let index = 0; index < 20; index += 1) journal.append(log('run_b', index * 100, new Uint8Array(100)));
    journal.ack(journal.lastSeq);
    expect(readdirSync(directory)).toHaveLength(2);
    const again = AttemptJournal.open(directory)!;
    expect(again.state).toEqual({
      ended: false,
      finished: { 0: 'a'.repeat(64) },
      open: { run_b: { position: '1', kind: 'run', startedAt: 1, logBytes: 2000 } },
    });
  });

  test('deletes acknowledged segments, so that its size is bounded by what the API has not got', () => {
    const directory = join(home, 'one');
    const journal = AttemptJournal.create(directory, offer, { segmentBytes: 10_000 });
    for (let index = 0; index < 2000; index += 1) {
      const seq = journal.append(log('run_a', index * 1000, new Uint8Array(1000)));
      if (index % 10 === 0) journal.ack(seq);
    }
    const bytes = readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
    expect(bytes).toBeLessThan(40_000);
  });

  test('reads a record longer than its read buffer', () => {
    const journal = AttemptJournal.create(join(home, 'one'), offer);
    const bytes = new Uint8Array(1_000_000).map((_, index) => index % 251);
    journal.append(log('run_a', 0, bytes));
    journal.append(started('run_b', '1'));
    expect(readAll(journal, 1)).toEqual([toWire(1, log('run_a', 0, bytes)), toWire(2, started('run_b', '1'))]);
  });

  test('is settled only when its last record is acknowledged', () => {
    const journal = AttemptJournal.create(join(home, 'one'), offer);
    journal.append(started('run_a', '0'));
    journal.ack(1);
    expect(journal.isSettled).toBe(false);
    journal.append(attemptEnded);
    expect(journal.isSettled).toBe(false);
    journal.ack(2);
    expect(journal.isSettled).toBe(true);
  });
});

describe('the journals of an agent', () => {
  test('are there again after a restart, but for one whose offer was never written whole', () => {
    const journals = new Journals(home);
    journals.create(offer).append(started('run_a', '0'));
    journals.create({ ...offer, attemptId: 'att_two' });
    journals.close();
    writeFileSync(join(home, 'att_two', 'offer.json'), '{"att');
    const again = new Journals(home);
    expect(again.all().map((journal) => [journal.attemptId, journal.fence, journal.lastSeq])).toEqual([
      ['att_one', 7, 1],
    ]);
    expect(readdirSync(home).toSorted()).toEqual(['att_one', 'reserve']);
  });

  test('refuse an attempt id that would lead out of their directory', () => {
    expect(() => new Journals(home).create({ ...offer, attemptId: '../other' })).toThrow('attempt id');
  });
});
