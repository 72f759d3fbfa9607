import { LoamError, type StepId } from '@loam/base';
import type { BuildEvent, BuildOutcome, StepEnded } from '@loam/engine';
import { expect, test } from 'vitest';

import { jsonPrinter, quietPrinter, textPrinter, type BuildPrinter } from './build-printer.ts';
import { styleFor } from './style.ts';

const id = (digit: string): StepId => digit.repeat(64) as StepId;

function started(position: string, op: string, stage = ''): BuildEvent {
  return { type: 'step-started', position, stage, kind: 'run', op };
}

function log(position: string, text: string | Uint8Array): BuildEvent {
  return { type: 'step-log', position, stream: 'stdout', offset: 0, bytes: Buffer.from(text) };
}

function ended(position: string, outcome: 'hit' | 'built' | 'failed', stepId: StepId): StepEnded {
  return { type: 'step-ended', position, outcome, stepId, durationMs: 1500, logBytes: 0, sizeBytes: 2048 };
}

function print(
  make: (write: (text: string | Uint8Array) => void) => BuildPrinter,
  events: BuildEvent[],
  outcome: BuildOutcome,
): string {
  const parts: Buffer[] = [];
  const printer = make((part) => void parts.push(Buffer.from(part)));
  for (const event of events) printer.onEvent(event);
  printer.onOutcome(outcome, 2000);
  return Buffer.concat(parts).toString();
}

const succeeded: BuildOutcome = { kind: 'succeeded', stepId: id('c'), snapshot: 'c' as never };
const text = (events: BuildEvent[], outcome = succeeded): string =>
  print((write) => textPrinter(write, styleFor(false)), events, outcome);

test('a hit takes one line, a built step a heading, its log and how it ended', () => {
  const shown = text([
    started('0', '(from busybox)'),
    ended('0', 'hit', id('a')),
    started('1', '(run (shell "echo hi"))'),
    { type: 'step-progress', position: '1', phase: 'running', elapsedMs: 0 },
    log('1', 'hi\nno newline'),
    { ...ended('1', 'built', id('c')), phases: [{ phase: 'committing', durationMs: 700 }] },
  ]);
  expect(shown).toBe(`[0] (from busybox) hit aaaaaaaaaaaa
[1] (run (shell "echo hi"))
hi
no newline
    built cccccccccccc in 1.5 s, commit 700 ms, 2.0 KiB
1 hit, 1 built in 2.0 s
result ${id('c')}
`);
});

test('lines of builds that run at the same time never run into each other', () => {
  const shown = text([
    started('dev/1', '(run (shell make))', 'dev'),
    log('dev/1', 'one\ntw'),
    started('2', '(run (shell other))'),
    log('2', 'x'),
    log('dev/1', 'o\n'),
    log('dev/1', 'a'),
    log('dev/1', 'b\n'),
  ]);
  expect(shown.split('\n').slice(0, 7)).toEqual([
    '[dev/1] (run (shell make))',
    'dev| one',
    'dev| tw',
    '[2] (run (shell other))',
    'x',
    'dev| o',
    'dev| ab',
  ]);
});

test('JSON keeps bytes that are no text', () => {
  const events = [started('0', '(run (shell x))'), log('0', 'é'), log('0', new Uint8Array([0xff, 0]))];
  const failed: BuildOutcome = {
    kind: 'failed',
    position: '0',
    error: LoamError.of('engine.step-failed', { position: '0', code: 3 }),
  };
  const lines = print(jsonPrinter, events, failed)
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines.map((line) => line['text'] ?? line['base64'] ?? line['outcome'])).toEqual([
    undefined,
    'é',
    '/wA=',
    'failed',
  ]);
});

test('quiet prints the result and nothing else', () => {
  const events = [started('0', '(run (shell x))'), log('0', 'noise'), ended('0', 'built', id('c'))];
  expect(print(quietPrinter, events, succeeded)).toBe(`${id('c')}\n`);
});
