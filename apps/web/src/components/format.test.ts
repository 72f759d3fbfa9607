import { expect, it } from 'vitest';

import { formatAge, formatBytes, formatDuration } from './format.ts';

it('shows sizes with at most three digits', () => {
  expect([0, 999, 1000, 1449, 12_345, 99_960, 123_456, 999_600, 5e9].map(formatBytes)).toEqual([
    '0 B',
    '999 B',
    '1.0 KB',
    '1.4 KB',
    '12.3 KB',
    '100 KB',
    '123 KB',
    '1.0 MB',
    '5.0 GB',
  ]);
  expect(formatBytes(null)).toBe('–');
});

it('shows durations in the unit that fits', () => {
  expect([0, 12, 999, 4200, 59_960, 185_000, 7_800_000].map(formatDuration)).toEqual([
    '0 ms',
    '12 ms',
    '999 ms',
    '4.2 s',
    '1 m 00 s',
    '3 m 05 s',
    '2 h 10 m',
  ]);
});

it('shows ages, never in the future', () => {
  expect(formatAge(1000, 0)).toBe('just now');
  expect(formatAge(0, 65_000)).toBe('1 min ago');
});
