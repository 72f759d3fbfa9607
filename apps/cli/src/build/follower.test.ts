import fc from 'fast-check';
import { expect, test } from 'vitest';

import type { LiveFrame, LiveRequest, Step } from '@loam/contracts';

import { BuildFollower, type FollowEvent } from './follower.ts';
import { sampleBuild, sampleStep } from './sample-build.ts';

function follow() {
  const sent: LiveRequest[] = [];
  const told: FollowEvent[] = [];
  const follower = new BuildFollower(
    'bld_1',
    (request) => sent.push(request),
    (event) => told.push(event),
  );
  const words = (): string[] =>
    told.map((event) => {
      if (event.type === 'log') return `log ${Buffer.from(event.bytes).toString()}`;
      if (event.type === 'step') return `step ${event.step.position} ${event.step.state}`;
      return event.type;
    });
  return { follower, sent, told, words };
}

const running = sampleStep({ state: 'running', id: 'run_1', logId: 'run_1' });
const built: Step = { ...running, state: 'built', durationMs: 5 };
const log = (offset: number, text: string, logId = 'run_1'): LiveFrame => ({
  type: 'log',
  logId,
  offset,
  data: Buffer.from(text).toString('base64'),
});

test('the end of a step is told after the end of its log, whichever comes first', () => {
  const { follower, words } = follow();
  follower.connected();
  follower.receive({ type: 'build', build: sampleBuild({ stepRuns: [running] }) });
  follower.receive({ type: 'step', buildId: 'bld_1', step: built });
  follower.receive(log(0, 'hello'));
  follower.receive({ type: 'build', build: sampleBuild({ state: 'succeeded', stepRuns: [built] }) });
  expect(follower.finished).toBe(false);
  follower.receive({ type: 'log-end', logId: 'run_1', size: 5 });
  expect(follower.finished).toBe(true);
  expect(words()).toEqual(['build', 'step 1 running', 'log hello', 'build', 'log-end', 'step 1 built']);
});

test('after a lost connection it asks from where it stood, and tells nothing twice', () => {
  const { follower, sent, words } = follow();
  follower.connected();
  follower.receive({ type: 'build', build: sampleBuild({ stepRuns: [running] }) });
  follower.receive(log(0, 'hel'));
  sent.length = 0;
  follower.connected();
  expect(sent).toEqual([
    { type: 'watch-build', buildId: 'bld_1' },
    { type: 'watch-log', logId: 'run_1', from: 3 },
  ]);
  follower.receive({ type: 'build', build: sampleBuild({ stepRuns: [running] }) });
  follower.receive(log(1, 'ello'));
  expect(words()).toEqual(['build', 'step 1 running', 'log hel', 'build', 'log lo']);
});

test('a hit has no log to follow, and a log that the farm lost does not keep the build from ending', () => {
  const { follower, sent } = follow();
  const hit = sampleStep({ position: '0', state: 'hit', logId: 'run_old' });
  follower.receive({ type: 'build', build: sampleBuild({ state: 'failed', stepRuns: [hit, built] }) });
  expect(sent).toEqual([{ type: 'watch-log', logId: 'run_1', from: 0 }]);
  follower.receive({ type: 'error', code: 'logs.unknown', message: 'There is no log.', about: 'run_1' });
  expect(follower.finished).toBe(true);
});

test('a second attempt tells its steps anew', () => {
  const { follower, words } = follow();
  follower.receive({ type: 'step', buildId: 'bld_1', step: built });
  follower.receive({ type: 'log-end', logId: 'run_1', size: 0 });
  follower.receive({ type: 'step', buildId: 'bld_1', step: { ...running, id: 'run_2', logId: 'run_2' } });
  follower.receive({ type: 'step', buildId: 'bld_1', step: { ...running, id: 'run_2', logId: 'run_2' } });
  expect(words()).toEqual(['log-end', 'step 1 built', 'step 1 running']);
});

test('however frames are cut, doubled and lost with connections, each byte is told once and in order', () => {
  const original = Array.from({ length: 60 }, (_, index) => String.fromCharCode(97 + (index % 26))).join('');
  const step = fc.record({ lost: fc.boolean(), back: fc.nat(8), size: fc.integer({ min: 1, max: 12 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { follower, sent, told } = follow();
      follower.connected();
      follower.receive({ type: 'build', build: sampleBuild({ stepRuns: [running] }) });
      // The server: where it stands with this log, moved by every `watch-log`.
      let at = 0;
      const serve = (): void => {
        for (const request of sent.splice(0)) if (request.type === 'watch-log') at = request.from;
      };
      for (const { lost, back, size } of steps) {
        serve();
        const from = Math.max(0, at - back);
        if (lost) follower.connected();
        else follower.receive(log(from, original.slice(from, from + size)));
        at = Math.min(original.length, from + size);
      }
      for (;;) {
        serve();
        follower.receive(log(at, original.slice(at)));
        follower.receive({ type: 'log-end', logId: 'run_1', size: original.length });
        if (sent.length === 0) break;
      }
      const bytes = told.filter((event) => event.type === 'log').map((event) => Buffer.from(event.bytes).toString());
      expect(bytes.join('')).toBe(original);
      expect(told.at(-1)?.type).toBe('log-end');
    }),
  );
});
