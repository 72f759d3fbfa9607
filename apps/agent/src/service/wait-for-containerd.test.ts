import { LoamError, TestClock } from '@loam/base';
import { expect, it } from 'vitest';

import { silentLog } from '../log.ts';
import { waitForContainerd } from './wait-for-containerd.ts';

const unavailable = () => LoamError.of('containerd.unavailable', { address: 'pipe', reason: 'ENOENT' });
const never = new Promise<never>(() => undefined);

/** Lets what waits for promises go on, then moves the clock. */
async function pass(clock: TestClock, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) await clock.advance(1_000);
}

it('a service that is started before containerd answers waits for it', async () => {
  const clock = new TestClock();
  let tries = 0;
  const started = waitForContainerd(() => (++tries < 4 ? Promise.reject(unavailable()) : Promise.resolve('up')), {
    clock,
    log: silentLog,
    stop: never,
  });
  await pass(clock, 10);
  expect(await started).toBe('up');
  expect(tries).toBe(4);
});

it('one that never gets it gives up after a minute, and says why', async () => {
  const clock = new TestClock();
  let tries = 0;
  const started = waitForContainerd(() => (tries++, Promise.reject(unavailable())), {
    clock,
    log: silentLog,
    stop: never,
  });
  const outcome = expect(started).rejects.toMatchObject({ code: 'containerd.unavailable' });
  await pass(clock, 90);
  await outcome;
  expect(tries).toBeGreaterThanOrEqual(25);
});

it('nothing else is tried again', async () => {
  const start = () => Promise.reject(LoamError.of('agent.not-enrolled', { file: 'config.json' }));
  const started = waitForContainerd(start, { clock: new TestClock(), log: silentLog, stop: never });
  await expect(started).rejects.toMatchObject({ code: 'agent.not-enrolled' });
});

it('a stop ends the waiting', async () => {
  const stop = Promise.withResolvers<void>();
  const started = waitForContainerd(() => Promise.reject(unavailable()), {
    clock: new TestClock(),
    log: silentLog,
    stop: stop.promise,
  });
  stop.resolve();
  await expect(started).rejects.toMatchObject({ code: 'containerd.unavailable' });
});
