import { isLoamError, LoamError, TestClock } from '@loam/base';
import { expect, it } from 'vitest';

import { untilContainerdAnswers } from './until-containerd-answers.ts';

const away = (): LoamError => LoamError.of('containerd.unavailable', {});

/** Does `work` until containerd answers, on a clock that goes on by itself, for a day at most: how it ended, after how many calls, and when. */
async function outlast(
  work: (clock: TestClock, call: number) => Promise<string>,
  lossesMax?: number,
): Promise<{ result: string; calls: number; afterMs: number }> {
  const clock = new TestClock(0);
  let calls = 0;
  let result: string | undefined;
  void untilContainerdAnswers(clock, () => work(clock, ++calls), lossesMax).then(
    (value) => (result = value),
    (error: unknown) => (result = isLoamError(error) ? error.code : String(error)),
  );
  for (let step = 0; result === undefined && step < 4 * 86_400; step++) await clock.advance(250);
  return { result: result ?? 'never', calls, afterMs: clock.monotonic() };
}

it('asks a containerd that is away for two minutes, and takes the first answer', async () => {
  const { result, afterMs } = await outlast(() => Promise.reject(away()));
  expect(result).toBe('containerd.unavailable');
  expect(afterMs).toBeGreaterThanOrEqual(120_000);
  expect(afterMs).toBeLessThan(122_000);
  expect(await outlast((_, call) => (call < 9 ? Promise.reject(away()) : Promise.resolve('done')))).toMatchObject({
    result: 'done',
    calls: 9,
  });
  const other = LoamError.of('containerd.not-found', { subject: 'task' });
  expect(await outlast(() => Promise.reject(other))).toMatchObject({ result: 'containerd.not-found', calls: 1 });
});

it('does not do for ever what takes a while and ends containerd each time, unless told to', async () => {
  const fatal = async (clock: TestClock): Promise<string> => {
    await new Promise<void>((resolve) => clock.after(30_000, resolve));
    throw away();
  };
  expect(await outlast(fatal)).toMatchObject({ result: 'containerd.unavailable', calls: 5, afterMs: 151_000 });
  const waiting = async (clock: TestClock, call: number): Promise<string> => (call < 50 ? fatal(clock) : 'over');
  expect(await outlast(waiting, Number.POSITIVE_INFINITY)).toMatchObject({ result: 'over', calls: 50 });
});
