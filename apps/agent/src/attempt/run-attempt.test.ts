import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import {
  linuxImageTree,
  MemoryFetcher,
  MemorySandbox,
  MemoryStore,
  runShell,
  type Program,
} from '@loam/backend/memory';
import { createIdSource, systemClock } from '@loam/base';
import { manifestContext } from '@loam/context';
import type { BuildRecord, NumberedRecord, Offer } from '@loam/contracts';
import { createEngine, memoryLogSpool, type Engine, type LogChunk } from '@loam/engine';
import { parseSpec } from '@loam/spec';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { AttemptJournal, type JournalOptions } from '../journal/attempt-journal.ts';
import type { JournalRecord } from '../journal/record.ts';
import { Reserve } from '../journal/reserve.ts';
import { runAttempt, type RunAttemptOptions, type RunningAttempt } from './run-attempt.ts';

const platform = { os: 'linux', architecture: 'amd64' } as const;
const specText = '((from base) (run (shell "echo one")) (run (shell "echo two")))';
const offer: Offer = {
  attemptId: 'att_a',
  fence: 1,
  buildId: 'bld_a',
  spec: specText,
  context: null,
  secretIds: [],
  timeoutMs: null,
  limits: {},
  refresh: false,
};

let home: string;
beforeEach(() => void (home = mkdtempSync(join(tmpdir(), 'loam-attempt-'))));
afterEach(() => rmSync(home, { recursive: true, force: true }));

/** An engine whose store outlives it, as containerd outlives an agent. */
class World {
  readonly store = new MemoryStore();
  program: Program = runShell;
  onRecord: (record: JournalRecord) => void = () => undefined;
  untold: NonNullable<RunAttemptOptions['untold']> = () => undefined;

  engine(): Engine {
    const { store } = this;
    const images = new Map([['docker.io/library/base:latest', { tree: linuxImageTree(), platform }]]);
    return createEngine({
      store,
      sandbox: new MemorySandbox({ store, program: (environment) => this.program(environment) }),
      fetcher: new MemoryFetcher({ store, images }),
      platform,
      clock: systemClock,
      logs: memoryLogSpool(),
    });
  }

  run(journal: AttemptJournal): RunningAttempt {
    return runAttempt(journal, {
      engine: this.engine(),
      clock: systemClock,
      ids: createIdSource(systemClock),
      platform,
      onRecord: (record) => this.onRecord(record),
      untold: (stepId) => this.untold(stepId),
      sources: {
        parse(text) {
          const { spec } = parseSpec(text);
          if (!spec) throw new Error('no spec');
          return spec;
        },
        context: async () =>
          manifestContext([], () => {
            throw new Error('no files');
          }),
        secrets: async () => new Map(),
      },
    });
  }
}

function open(options: JournalOptions = {}): AttemptJournal {
  const directory = join(home, 'att_a');
  return AttemptJournal.open(directory, options) ?? AttemptJournal.create(directory, offer, options);
}

function recordsOf(journal: AttemptJournal): BuildRecord[] {
  return journal.read(1, 1e9).map((numbered: NumberedRecord) => numbered.record);
}

/** `started 0`, `log one`, `built 0` and so on. */
function story(records: readonly BuildRecord[]): string[] {
  return records.flatMap((record) => {
    switch (record.type) {
      case 'step-started':
        return [`started ${record.position}`];
      case 'log':
        return [`log ${record.offset} ${Buffer.from(record.data, 'base64').toString().trim()}`];
      case 'step-ended':
        return [`${record.outcome} ${record.position}`];
      case 'attempt-ended':
        return [record.outcome];
      default:
        return [];
    }
  });
}

/** The logs of all step runs, by run: gaps and overlaps throw. */
function logsOf(records: readonly BuildRecord[]): Map<string, string> {
  const logs = new Map<string, string>();
  for (const record of records) {
    if (record.type === 'step-started') {
      expect(logs.has(record.stepRunId)).toBe(false);
      logs.set(record.stepRunId, '');
    } else if (record.type === 'log') {
      const text = logs.get(record.stepRunId) ?? '';
      expect(record.offset).toBe(text.length);
      logs.set(record.stepRunId, text + Buffer.from(record.data, 'base64').toString());
    } else if (record.type === 'step-ended') {
      expect(logs.get(record.stepRunId)?.length).toBe(record.logBytes);
    }
  }
  return logs;
}

test('writes down each step with its log, and at last how the attempt ended', async () => {
  const journal = open();
  await new World().run(journal).ended;
  const records = recordsOf(journal);
  expect(story(records)).toEqual([
    'started 0',
    'built 0',
    'started 1',
    'log 0 one',
    'built 1',
    'started 2',
    'log 0 two',
    'built 2',
    'succeeded',
  ]);
  logsOf(records);
  const last = records.findLast((record) => record.type === 'step-ended');
  const end = records.at(-1);
  expect(end).toMatchObject({ result: last?.stepId, error: null });
  expect(last).toMatchObject({ op: '(run (shell "echo two"))', platform: 'linux/amd64', record: { kind: 'run' } });
  expect(journal.state.ended).toBe(true);
});

test('a step that an attempt built which was lost tells its log when the next one finds it', async () => {
  const world = new World();
  const lost = open();
  await world.run(lost).ended;
  const id = lost.state.finished['1'];
  lost.remove();
  // Of what it built the farm heard nothing but step 2.
  world.untold = (stepId) => (stepId === id ? memoryLog('one\n') : undefined);
  const journal = open();
  await world.run(journal).ended;
  const records = recordsOf(journal);
  expect(story(records).slice(2)).toEqual(['started 1', 'log 0 one', 'hit 1', 'started 2', 'hit 2', 'succeeded']);
  logsOf(records);
});

async function* memoryLog(text: string): AsyncGenerator<LogChunk> {
  yield { stream: 'stdout', offset: 0, bytes: Buffer.from(text) };
}

test('a killed agent that comes back ends the interrupted step run, repeats its step anew and tells the rest once', async () => {
  const world = new World();
  const reached = Promise.withResolvers<void>();
  world.program = async (environment) => {
    if (environment.request.argv.at(-1) !== 'echo two') return runShell(environment);
    environment.output('stdout', 'half of tw');
    return new Promise((_, reject) => environment.signal.addEventListener('abort', () => reject(new Error('killed'))));
  };
  world.onRecord = (record) => {
    if (record.type === 'log' && Buffer.from(record.bytes).includes('half of tw')) reached.resolve();
  };
  const before = open();
  const killed = world.run(before);
  await reached.promise;
  // From here on nothing is written any more, as after kill -9.
  killed.abandon();
  before.close();
  await killed.ended;

  world.program = runShell;
  const journal = open();
  const interrupted = Object.keys(journal.state.open);
  expect(interrupted).toHaveLength(1);
  await world.run(journal).ended;
  const records = recordsOf(journal);
  expect(story(records)).toEqual([
    'started 0',
    'built 0',
    'started 1',
    'log 0 one',
    'built 1',
    'started 2',
    'log 0 half of tw',
    'cancelled 2',
    'started 2',
    'log 0 two',
    'built 2',
    'succeeded',
  ]);
  expect([...logsOf(records).values()]).toEqual(['', 'one\n', 'half of tw', 'two\n']);
});

test('a step that had succeeded but is gone from the store after the crash is told of again', async () => {
  const whole = open();
  await new World().run(whole).ended;
  const first = recordsOf(whole);
  // The journal of an agent that was killed after step 1, on a host whose cache was emptied since.
  const journal = AttemptJournal.create(join(home, 'att_b'), { ...offer, attemptId: 'att_b' });
  const end = first.findIndex((record) => record.type === 'step-ended' && record.position === '1') + 1;
  for (const record of first.slice(0, end)) {
    journal.append(record.type === 'log' ? { ...record, bytes: Buffer.from(record.data, 'base64') } : record);
  }
  await new World().run(journal).ended;
  expect(story(recordsOf(journal).slice(end))).toEqual(story(first));
});

test('a cancelled attempt ends as cancelled, with its step', async () => {
  const world = new World();
  const journal = open();
  world.program = (environment) => {
    setTimeout(() => running.cancel(), 0);
    return new Promise((_, reject) => environment.signal.addEventListener('abort', () => reject(new Error('killed'))));
  };
  const running = world.run(journal);
  await running.ended;
  expect(story(recordsOf(journal)).slice(-2)).toEqual(['cancelled 1', 'cancelled']);
});

test('a spec that this agent cannot read fails the attempt', async () => {
  const journal = AttemptJournal.create(join(home, 'att_a'), { ...offer, spec: '(((' });
  await new World().run(journal).ended;
  expect(recordsOf(journal)).toMatchObject([
    { type: 'attempt-ended', outcome: 'failed', error: { code: 'general.internal' } },
  ]);
});

test('a full disk fails the attempt and still says so', async () => {
  const reserve = new Reserve(join(home, 'reserve'));
  reserve.fill();
  const journal = open({ reserve });
  const append = journal.append.bind(journal);
  const full = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
  let isFull = true;
  journal.append = (record) => {
    if (record.type === 'log' && isFull) {
      isFull = false;
      throw full;
    }
    return append(record);
  };
  await new World().run(journal).ended;
  const records = recordsOf(journal);
  expect(story(records)).toEqual(['started 0', 'built 0', 'started 1', 'failed']);
});
