import { LoamError } from '@loam/base';
import { expect, test } from 'vitest';

import { exitCodeOf } from './exit-code.ts';
import { parseCpus, parseDuration, parseMemory, parseSlots } from '../quantities.ts';
import { readSecret } from './options.ts';

test('sizes, times and counts are read as people write them', () => {
  expect(['1048576', '512M', '2G', '1.5g', '64KiB'].map((each) => parseMemory(each))).toEqual([
    1048576,
    512 * 1024 ** 2,
    2 * 1024 ** 3,
    1.5 * 1024 ** 3,
    65536,
  ]);
  expect(['90', '90s', '15m', '2h', '250ms'].map(parseDuration)).toEqual([90_000, 90_000, 900_000, 7_200_000, 250]);
  expect([parseCpus('1.5'), parseSlots('4')]).toEqual([1.5, 4]);
});

test.each([
  () => parseMemory('lots'),
  () => parseMemory('-1'),
  () => parseDuration('soon'),
  () => parseCpus('0'),
  () => parseSlots('0'),
  () => parseSlots('1.5'),
  () => readSecret('no-file'),
])('nonsense is refused and named (%#)', (parse) => {
  expect(parse).toThrow(expect.objectContaining({ code: 'agent.bad-argument' }) as Error);
});

test('a failed step decides the exit code', () => {
  const failed = { kind: 'failed', position: '1', error: LoamError.of('general.internal', {}) } as const;
  expect(exitCodeOf(failed, { kind: 'exited', code: 7 })).toBe(7);
  expect(exitCodeOf(failed, { kind: 'signalled', signal: 9 })).toBe(137);
  expect(exitCodeOf(failed, { kind: 'out-of-memory' })).toBe(1);
  expect(exitCodeOf(failed, undefined)).toBe(1);
  expect(exitCodeOf({ kind: 'cancelled' }, undefined)).toBe(130);
});
