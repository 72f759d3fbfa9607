import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

import { expect, it } from 'vitest';

import { root } from './paths.mjs';

// A test that measures how fast the machine is fails on a busy one. What hangs is ended by vitest.config.ts, for all alike.
const findings = [
  [/\{ timeout: [\d_]+/, 'a time limit of its own'],
  [/^\s*\}, [\d_]{4,}\);/m, 'a time limit of its own'],
  [/setTimeout\(\w+, [\d_]{4,}, \w+\)/, 'a time limit of its own, made by hand'],
  [/\bvi\.waitFor\(/, 'vi.waitFor, which waits for one second: expect.poll waits as long as the configuration says'],
  [
    /performance\.now\(\) - \w+\)\.toBeLessThan/,
    'a limit by the clock on the wall: process.threadCpuUsage() tells what it took',
  ],
];

function findIn(text) {
  return findings.filter(([pattern]) => pattern.test(text)).map(([, what]) => what);
}

it('no test fails because the machine is slow', async () => {
  const found = [];
  for (const folder of ['apps', 'packages', 'tools']) {
    const names = await readdir(path.join(root, folder), { recursive: true });
    const isOurs = (name) =>
      /\.test\.(?:tsx?|mjs)$|[\\/](?:testsuite|testing)[\\/].*\.ts$/.test(name) &&
      !/node_modules|[\\/]dist[\\/]|\.windows\.it\./.test(name);
    for (const name of names.filter(isOurs)) {
      if (path.join(root, folder, name) === import.meta.filename) continue;
      for (const what of findIn(await readFile(path.join(root, folder, name), 'utf8'))) found.push(`${name}: ${what}`);
    }
  }
  expect(found).toEqual([]);
});

it.each([
  ["it('x', { timeout: 60_000 }, async () => {", 1],
  ['test(async () => {\n}, 60_000);', 1],
  ['new Promise((resolve) => setTimeout(resolve, 8_000, late))', 1],
  ['await vi.waitFor(() => expect(1).toBe(1));', 1],
  ['expect(performance.now() - began).toBeLessThan(5000);', 1],
  ['await sleep(1);\nexpect(2).toBeLessThan(3);\n});', 0],
])('%j is seen', (text, count) => {
  expect(findIn(text)).toHaveLength(count);
});
