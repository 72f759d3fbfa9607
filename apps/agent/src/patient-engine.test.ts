import { LoamError, systemClock, type Clock } from '@loam/base';
import type { BuildEvent, BuildOutcome, BuildRequest, Engine } from '@loam/engine';
import { expect, test } from 'vitest';

import { patientEngine } from './patient-engine.ts';

const request = { owner: 'att_a' } as BuildRequest;
const away: BuildOutcome = { kind: 'failed', error: LoamError.of('containerd.unavailable', {}), position: '1' };
const done = { kind: 'succeeded' } as BuildOutcome;
const onLost = (): void => undefined;
const hasty: Clock = { ...systemClock, after: (_, callback) => systemClock.after(0, callback) };

async function build(
  outcomes: readonly BuildOutcome[],
  onRound: (round: number) => void = () => undefined,
  signal = new AbortController().signal,
): Promise<{ outcome: BuildOutcome; rounds: number; ends: string[]; readies: number; lost: string[] }> {
  let rounds = 0;
  let readies = 0;
  const ends: string[] = [];
  const lost: string[] = [];
  const failing = {
    build: async (_: BuildRequest, onEvent: (event: BuildEvent) => void) => {
      const outcome = outcomes[rounds++] ?? away;
      if (outcome.kind === 'failed') {
        const error = outcome.error.toPublic();
        onEvent({ type: 'step-ended', position: '1', outcome: 'failed', durationMs: 1, logBytes: 0, error });
      }
      onRound(rounds);
      return outcome;
    },
  } as unknown as Engine;
  const engine = patientEngine(failing, {
    ready: async () => void readies++,
    clock: hasty,
    onLost: ({ owner, round }, error) => void lost.push(`${owner} ${round} ${error.code}`),
  });
  const onEvent = (event: BuildEvent): void => void (event.type === 'step-ended' && ends.push(event.outcome));
  return { outcome: await engine.build(request, onEvent, signal), rounds, ends, readies, lost };
}

test('a build under which containerd went away is built once more when it is there again, and its step has not failed', async () => {
  expect(await build([away, away, done])).toEqual({
    outcome: done,
    rounds: 3,
    ends: ['cancelled', 'cancelled'],
    readies: 3,
    lost: ['att_a 1 containerd.unavailable', 'att_a 2 containerd.unavailable'],
  });
});

test('a containerd that does not stay fails the build at last; any other failure does so at once', async () => {
  expect(await build([])).toMatchObject({ outcome: away, rounds: 5, ends: [...Array(4).fill('cancelled'), 'failed'] });
  const other: BuildOutcome = { ...away, error: LoamError.of('engine.step-failed', { position: '1', code: 1 }) };
  expect(await build([other])).toMatchObject({ outcome: other, rounds: 1, ends: ['failed'] });
});

test('who cancels a build meanwhile is not kept waiting, and its failure was none', async () => {
  const controller = new AbortController();
  const cancelled = await build([away], () => controller.abort(), controller.signal);
  expect(cancelled).toMatchObject({ outcome: { kind: 'cancelled' }, rounds: 1, ends: ['cancelled'] });
});

test('who cancels while containerd is started is not kept waiting either', async () => {
  const built: boolean[] = [];
  const never = {
    build: async (_: BuildRequest, __: unknown, { aborted }: AbortSignal) => {
      built.push(aborted);
      return { kind: 'cancelled' };
    },
  } as unknown as Engine;
  const engine = patientEngine(never, { ready: () => new Promise<void>(() => undefined), clock: hasty, onLost });
  for (const abortFirst of [true, false]) {
    const controller = new AbortController();
    if (abortFirst) controller.abort();
    const outcome = engine.build(request, () => undefined, controller.signal);
    controller.abort();
    expect(await outcome).toEqual({ kind: 'cancelled' });
  }
  expect(built).not.toContain(false);
});

test('all rounds together have the time of the build', async () => {
  let nowMs = 1_000;
  const spent: (number | undefined)[] = [];
  const slow = {
    build: async ({ timeoutMs, spentMs }: BuildRequest) => {
      expect(timeoutMs).toBe(200_000);
      spent.push(spentMs);
      nowMs += 60_000;
      return spent.length < 3 ? away : done;
    },
  } as unknown as Engine;
  const ready = async (): Promise<void> => void (nowMs += 500);
  const engine = patientEngine(slow, { ready, clock: { ...hasty, monotonic: () => nowMs }, onLost });
  const timed = { ...request, timeoutMs: 200_000 };
  expect(await engine.build(timed, () => undefined, new AbortController().signal)).toEqual(done);
  expect(spent).toEqual([500, 61_000, 121_500]);
});
