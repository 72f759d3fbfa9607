import { isLoamError, LoamError, TestClock } from '@loam/base';
import type { Containerd } from '@loam/containerd';
import { expect, it } from 'vitest';

import { Termination } from './termination.ts';

/** What becomes of the end of a task about which every question fails with `code`, and whether it may still be running. */
async function ending(code: 'containerd.unavailable' | 'containerd.not-found'): Promise<[string, boolean]> {
  const clock = new TestClock(0);
  const fail = (): Promise<never> => Promise.reject(LoamError.of(code, { subject: 'task' }));
  const client = { tasks: { wait: fail, kill: fail } } as unknown as Containerd;
  const termination = new Termination({ client, clock, id: 'loam-1', killTimeoutMs: 1_000_000 });
  termination.watch();
  let result: string | undefined;
  void termination.ensureDead().then(
    () => (result = 'dead'),
    (error: unknown) => (result = isLoamError(error) ? error.code : String(error)),
  );
  while (result === undefined && clock.now() < 900_000) await clock.advance(250);
  termination.end();
  return [result ?? 'never', termination.isStuck];
}

it('a task that nobody has been able to ask about for long may still run; one that is not there does not', async () => {
  expect(await ending('containerd.unavailable')).toEqual(['backend.will-not-die', true]);
  expect(await ending('containerd.not-found')).toEqual(['dead', false]);
});
