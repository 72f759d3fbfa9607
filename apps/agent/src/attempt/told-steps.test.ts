import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Offer } from '@loam/contracts';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { AttemptJournal } from '../journal/attempt-journal.ts';
import type { JournalRecord } from '../journal/record.ts';
import { ToldSteps } from './told-steps.ts';

const offer: Offer = {
  attemptId: 'att_a',
  fence: 1,
  buildId: 'bld_a',
  spec: '',
  context: null,
  secretIds: [],
  timeoutMs: null,
  limits: {},
  refresh: false,
};

let home: string;
beforeEach(() => void (home = mkdtempSync(join(tmpdir(), 'loam-told-'))));
afterEach(() => rmSync(home, { recursive: true, force: true }));

const ended = (position: string, outcome: 'built' | 'hit' | 'failed', logBytes: number): JournalRecord => ({
  type: 'step-ended',
  at: 1,
  position,
  stepRunId: `run_${position}`,
  outcome,
  stepId: position.repeat(64),
  parentId: null,
  copiesFrom: [],
  op: '(run (shell x))',
  platform: 'linux/amd64',
  record: null,
  sizeBytes: null,
  durationMs: 1,
  logBytes,
  exit: null,
  error: null,
});
const last: JournalRecord = { type: 'attempt-ended', at: 2, outcome: 'succeeded', result: null, error: null };

test('a step is told when the farm has acknowledged its end, and not before; one that failed or was only found never', () => {
  const told: string[] = [];
  const steps = new ToldSteps((id) => told.push(id[0] ?? ''));
  const journal = AttemptJournal.create(join(home, 'att_a'), offer);
  for (const record of [ended('a', 'built', 5), ended('b', 'failed', 5), ended('c', 'hit', 0), ended('d', 'hit', 5)]) {
    journal.append(record);
    steps.written(journal, record);
  }
  steps.acknowledged(journal);
  expect(told).toEqual([]);
  journal.ack(3);
  steps.acknowledged(journal);
  expect(told).toEqual(['a']);
  journal.ack(4);
  steps.acknowledged(journal);
  expect(told).toEqual(['a', 'd']);
  journal.close();
});

test('of what an earlier process wrote, all is told when the farm has the whole attempt', () => {
  const before = AttemptJournal.create(join(home, 'att_a'), offer);
  for (const record of [ended('a', 'built', 5), last]) before.append(record);
  before.close();
  const journal = AttemptJournal.open(join(home, 'att_a')) as AttemptJournal;
  const told: string[] = [];
  const steps = new ToldSteps((id) => told.push(id[0] ?? ''));
  journal.ack(1);
  steps.acknowledged(journal);
  expect(told).toEqual([]);
  journal.ack(2);
  steps.acknowledged(journal);
  expect(told).toEqual(['a']);
  journal.close();
});
