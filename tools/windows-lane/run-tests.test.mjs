import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { judge, runTestFile } from './run-tests.mjs';

const line = (value) => `${JSON.stringify(value)}\n`;
const pass = line({ outcome: 'pass', name: 'good' });
const fail = line({ outcome: 'fail', name: 'bad', why: 'because' });
const skipped = line({ outcome: 'skipped', name: 'left out' });
const over = line({ isOver: true });

const failuresOf = (report, { skips = {} } = {}) => judge({ code: 0, report, said: 'last words', skips }).failures;

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
    ['it had to be killed', pass, { code: undefined, stalled: 'silent' }, /^hung behind "good": silent\nlast words/],
    ['somebody else killed it', pass, { code: undefined }, /in the middle/],
    ['an exception names no test', pass + over, { skips: { gone: 'why' } }, /the list names others/],
    ['a test skips itself', pass + skipped + over, {}, /the list names others/],
  ])('is not when %s', (_, report, options, reason) => {
    const { failures } = judge({ code: 0, report, said: 'last words', skips: {}, ...options });
    expect(failures).toEqual([expect.stringMatching(reason)]);
  });
});

describe('a file that hangs', () => {
  /** A Wine whose runs come to the given ends, one after another; without a report when they do not even begin. */
  async function runFile(...ends) {
    const outputFolder = mkdtempSync(path.join(tmpdir(), 'loam-lane-'));
    let runs = 0;
    const wine = {
      async run() {
        const { report, ...end } = ends[runs++];
        if (report !== undefined) writeFileSync(path.join(outputFolder, 'a.test.jsonl'), report);
        return end;
      },
    };
    const file = { node: 'node.exe', source: 'a.test.ts', bundle: '/b/a.test.mjs', outputFolder, env: {} };
    const result = await runTestFile(wine, file);
    rmSync(outputFolder, { recursive: true });
    return { runs, failures: result.failures.length, hung: result.hung };
  }
  const good = { code: 0, report: pass + over };
  const stalled = 'silent';

  it('is run again, once, and says so', async () => {
    const hung = 'behind "good": silent';
    expect(await runFile({ stalled, report: pass }, good)).toEqual({ runs: 2, failures: 0, hung });
    expect(await runFile({ stalled, report: pass }, { stalled, report: pass })).toMatchObject({ runs: 2, failures: 1 });
  });

  it('is not taken for good by what the first run reported', async () => {
    expect(await runFile({ stalled, report: pass + over }, { code: 0 })).toMatchObject({ runs: 2, failures: 1 });
  });

  it('is not run again when a test of it failed', async () => {
    expect(await runFile({ stalled, report: pass + fail })).toMatchObject({ runs: 1, failures: 2 });
    expect(await runFile({ code: 1, report: pass + fail + over })).toMatchObject({ runs: 1, failures: 1 });
  });
});
