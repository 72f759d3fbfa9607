import { LoamError } from '@loam/base';
import { expect, test } from 'vitest';

import { createStyle } from '../output/style.ts';
import { exitCodeOf } from '../exit-code.ts';
import type { FollowEvent } from './follower.ts';
import { createRenderer, describeRunning, summarize, failure } from './renderer.ts';
import { sampleBuild, sampleStep } from './sample-build.ts';

const style = createStyle('never', {}, false);
const attempt = {
  id: 'att_1',
  number: 1,
  fence: 1,
  agentId: 'agt_1',
  agentName: 'mulch',
  state: 'running' as const,
  startedAt: 0,
  endedAt: null,
};
const from = sampleStep({ position: '0', kind: 'from', op: '(from busybox)', state: 'hit' });
const run = sampleStep({ state: 'running', id: 'run_1', logId: 'run_1' });
const failed = sampleStep({ ...run, state: 'failed', durationMs: 1234, exit: { kind: 'exited', code: 7 } });

test('a build reads from top to bottom: agent, steps, lines of logs, ends of steps', () => {
  const stepRuns = [from, run];
  const events: FollowEvent[] = [
    { type: 'build', build: sampleBuild({ state: 'queued', waiting: 'every slot of linux is busy', stepRuns }) },
    { type: 'build', build: sampleBuild({ attempts: [attempt], stepRuns }) },
    { type: 'step', step: from },
    { type: 'step', step: run },
    { type: 'log', step: run, offset: 0, bytes: Buffer.from('one\ntw') },
    { type: 'log', step: run, offset: 6, bytes: Buffer.from('o\nlast') },
    { type: 'log-end', step: run },
    { type: 'step', step: failed },
  ];
  const renderer = createRenderer({ style, columns: 80 });
  const end = sampleBuild({ state: 'failed', endedAt: 3500, stepRuns: [from, failed] });
  expect(events.map((event) => renderer.render(event)).join('') + summarize(end, style)).toMatchInlineSnapshot(`
    "waiting: every slot of linux is busy
    on mulch
    [0] (from busybox) cached
    [1] (run (shell "make"))
    1 | one
    1 | two
    1 | last
    [1] failed: exit code 7 after 1.2 s
    failed in 2.5 s at step 1: exit code 7
    "
  `);
});

test('the exit code is that of the failed step, if a shell can tell it from our own', () => {
  const codeOf = (exit: NonNullable<typeof failed.exit>): number =>
    exitCodeOf(sampleBuild({ state: 'failed', stepRuns: [sampleStep({ ...failed, exit })] }));
  expect(codeOf({ kind: 'exited', code: 7 })).toBe(7);
  expect(codeOf({ kind: 'exited', code: 127 })).toBe(1);
  expect(codeOf({ kind: 'exited', code: 3221225477 })).toBe(1);
  expect(codeOf({ kind: 'out-of-memory' })).toBe(1);
  expect(exitCodeOf(sampleBuild({ state: 'succeeded' }))).toBe(0);
  expect(exitCodeOf(sampleBuild({ state: 'cancelled' }))).toBe(130);
  expect(exitCodeOf(sampleBuild({ state: 'failed' }))).toBe(125);
  const error = LoamError.of('engine.build-timed-out', { seconds: 2, position: '1' }).toPublic();
  expect(exitCodeOf(sampleBuild({ state: 'failed', error }))).toBe(1);
});

test('what runs is told in one line that fits', () => {
  const pull = sampleStep({
    ...from,
    state: 'running',
    phase: 'downloading',
    currentBytes: 5e6,
    totalBytes: 2e7,
    startedAt: 1000,
  });
  expect(describeRunning([pull, { ...run, startedAt: 4000 }, failed], 5500, 80)).toBe(
    '[0] downloading 5.0 MB/20.0 MB 4.5 s  [1] 1.5 s',
  );
  expect(describeRunning([pull, run], 5500, 20)).toHaveLength(19);
  const commit = sampleStep({ ...run, state: 'running', phase: 'committing', startedAt: 1000, phaseStartedAt: 5000 });
  expect(describeRunning([commit], 8000, 80)).toBe('[1] committing (3.0 s) 7.0 s');
});

test('an exit code of Windows is told by its meaning', () => {
  const meaning = '0xC0000135 (a DLL was not found)';
  expect(failure({ exit: { kind: 'exited', code: 0xc0000135, meaning }, error: null })).toBe(`exit code ${meaning}`);
  expect(failure({ exit: { kind: 'exited', code: 2 }, error: null })).toBe('exit code 2');
});
