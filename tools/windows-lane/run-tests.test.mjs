import { describe, expect, it } from 'vitest';

import { judge } from './run-tests.mjs';

const line = (value) => `${JSON.stringify(value)}\n`;
const pass = line({ outcome: 'pass', name: 'good' });
const fail = line({ outcome: 'fail', name: 'bad', why: 'because' });
const skipped = line({ outcome: 'skipped', name: 'left out' });
const over = line({ isOver: true });

const failuresOf = (report, { code = 0, skips = {} } = {}) =>
  judge({ code, report, said: 'last words', skips }).failures;

describe('a file of tests of the Windows lane', () => {
  it('is good when its tests passed, its exceptions were met, and Node got to its end', () => {
    expect(judge({ code: 0, report: pass + over, said: '', skips: {} })).toEqual({
      passed: 1,
      skipped: 0,
      failures: [],
    });
    expect(failuresOf(pass + skipped + over, { skips: { 'left out': 'why' } })).toEqual([]);
  });

  it.each([
    ['a test failed', pass + fail + over, { code: 1 }, /^bad\nbecause/],
    ['nothing ran', over, {}, /no test/],
    ['everything is skipped', skipped + over, { skips: { 'left out': 'why' } }, /no test/],
    ['Node crashed in the middle', pass, { code: 3 }, /in the middle\nlast words/],
    ['Node crashed while it wrote', pass + over.slice(0, 5), { code: 3 }, /in the middle/],
    ['Node ended with an error after its tests', pass + over, { code: 7 }, /ended with 7/],
    ['it had to be killed', pass, { code: undefined }, /killed .* behind "good"/],
    ['an exception names no test', pass + over, { skips: { gone: 'why' } }, /the list names others/],
    ['a test skips itself', pass + skipped + over, {}, /the list names others/],
  ])('is not when %s', (_, report, options, reason) => {
    const { code = 0, skips = {} } = options;
    const killed = 'code' in options && options.code === undefined;
    const { failures } = judge({ code: killed ? undefined : code, report, said: 'last words', skips });
    expect(failures).toEqual([expect.stringMatching(reason)]);
  });
});
