import { expect, test } from 'vitest';

import { readLogLevel } from './log.ts';

test('a level that is not set, or set to nothing, is info', () => {
  expect([undefined, '', 'warn'].map(readLogLevel)).toEqual(['info', 'info', 'warn']);
});

test('a level that there is not is told with its name', () => {
  expect(() => readLogLevel('loud')).toThrow(expect.objectContaining({ code: 'agent.bad-argument' }));
});
