import { readFileSync } from 'node:fs';

import { describe, expect, test } from 'vitest';

import { fillIn } from './fill-in.ts';

const values = {
  FarmUrl: 'https://farm.example',
  PackageName: 'name-of-package',
  PackageSize: '123456',
  PackageSha256: 'ab'.repeat(32),
  PackageVersion: '1.2.3',
  PackageProblem: 'a problem',
};

describe.each([
  ['sh', 'linux/install.sh', "FARM_URL='https://farm.example'\n"],
  ['ps1', 'windows/install.ps1', "$FarmUrl = 'https://farm.example'\n"],
] as const)('the script for %s', (dialect, file, line) => {
  const script = readFileSync(new URL(`../../../../../infra/${file}`, import.meta.url), 'utf8');

  test('has one place for everything that it is told', () => {
    const filled = fillIn(dialect, script, values);
    expect(filled).toContain(line);
    for (const value of Object.values(values)) expect(filled.split(`'${value}'\n`)).toHaveLength(2);
  });

  test('is not changed by what could end the quotes', () => {
    const filled = fillIn(dialect, script, { PackageProblem: "a'; rm -rf / #\n‘’\u201b$(x)" });
    expect(filled).toContain("'a; rm -rf / #$(x)'\n");
  });
});

test('a script without a place for a value is refused', () => {
  expect(() => fillIn('sh', "\nFARM_URL='x'\n", { FarmUrl: 'https://a' })).toThrow('0 places for FarmUrl');
});
