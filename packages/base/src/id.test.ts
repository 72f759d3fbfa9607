import { expect, test } from 'vitest';

import { systemClock, type Clock } from './clock.ts';
import { createIdSource, isId } from './id.ts';

test('ids of one source sort in the order in which they were made, whatever clock and chance say', () => {
  const times = [1000, 1000, 1000, 999, 0, 1001, 1001, 1000, 5000];
  const clock: Clock = { ...systemClock, now: () => times.shift() ?? Number.NaN };
  const bytes = [0xff, 0x80, 0x01];
  let draws = 0;
  const ids = createIdSource(clock, (size) => new Uint8Array(size).fill(bytes[draws++ % bytes.length] ?? 0));
  const made = Array.from({ length: 9 }, () => ids.next('build'));
  expect(made.every((id) => isId('build', id))).toBe(true);
  expect(made.toSorted()).toEqual(made);
  expect(new Set(made).size).toBe(9);
});
