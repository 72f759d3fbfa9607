import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { runCaptured } from '../testing.ts';

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'loam-fmt-'));
});
afterEach(() => rmSync(cwd, { recursive: true }));

const untidy = '; what it is for\n((from a) (run   (shell x)) ; why\n\n\n (env A "é"))';
const tidy = '; what it is for\n((from a)\n (run (shell x)) ; why\n\n (env A "é")\n)\n';

function file(name: string, text: string | Uint8Array): string {
  writeFileSync(join(cwd, name), text);
  return name;
}
const read = (name: string): string => readFileSync(join(cwd, name), 'utf8');
const fmt = (...args: string[]) => runCaptured(['spec', 'fmt', ...args], { cwd });

describe('loam spec fmt', () => {
  test('prints a file with its comments, laid out', async () => {
    expect(await fmt(file('a.spec', untidy))).toEqual({ code: 0, out: tidy, err: '' });
    expect(read('a.spec')).toBe(untidy);
  });

  test('prints what comes from standard input', async () => {
    expect(await runCaptured(['spec', 'fmt', '-'], { stdin: untidy })).toEqual({ code: 0, out: tidy, err: '' });
  });

  test('lays out what is no valid spec yet, but not what cannot be read', async () => {
    expect((await runCaptured(['spec', 'fmt', '-'], { stdin: '((wat) ; c\n)' })).out).toBe('((wat) ; c\n)\n');
    const { code, out, err } = await fmt('--write', file('a.spec', '((from a) ; c\n'));
    expect([code, out, read('a.spec')]).toEqual([1, '', '((from a) ; c\n']);
    expect(err).toContain('a.spec:1:1: error: This parenthesis is never closed.');
  });

  test('keeps the line ends of Windows and bytes that are no text', async () => {
    const content = Buffer.from('; \xff\r\n((from a)(env B c))', 'latin1');
    expect((await fmt('-w', file('a.spec', content))).code).toBe(0);
    expect(readFileSync(join(cwd, 'a.spec'), 'latin1')).toBe('; \xff\r\n((from a)\r\n (env B c)\r\n)\r\n');
  });
});

describe('loam spec fmt --write', () => {
  test('lays out every file, and goes on after one that cannot be', async () => {
    const { code, out, err } = await fmt('--write', file('a', untidy), file('b', '('), 'none', file('c', untidy));
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain('[cli.spec-invalid]');
    expect(err).toContain('[cli.file-unreadable]');
    expect(['a', 'b', 'c'].map(read)).toEqual([tidy, '(', tidy]);
    expect(readdirSync(cwd).toSorted()).toEqual(['a', 'b', 'c']);
  });

  test('leaves a file alone that is laid out already', async () => {
    const then = new Date('2026-01-01T00:00:00Z');
    utimesSync(join(cwd, file('a', tidy)), then, then);
    const before = statSync(join(cwd, 'a'));
    expect((await fmt('-w', 'a')).code).toBe(0);
    expect([statSync(join(cwd, 'a')).mtime, statSync(join(cwd, 'a')).ino]).toEqual([before.mtime, before.ino]);
  });

  test('keeps the mode of a file, and a symbolic link a link', async () => {
    chmodSync(join(cwd, file('a', untidy)), 0o640);
    symlinkSync('a', join(cwd, 'link'));
    expect((await fmt('-w', 'link')).code).toBe(0);
    expect(read('a')).toBe(tidy);
    expect(statSync(join(cwd, 'a')).mode & 0o777).toBe(0o640);
    expect(lstatSync(join(cwd, 'link')).isSymbolicLink()).toBe(true);
  });

  test('leaves a pipe a pipe', async () => {
    execFileSync('mkfifo', [join(cwd, 'pipe')]);
    const [{ code, err }] = await Promise.all([fmt('-w', 'pipe'), writeFile(join(cwd, 'pipe'), untidy)]);
    expect([code, err]).toEqual([1, expect.stringContaining('pipe cannot be written: it is no file on a disk.')]);
    expect(lstatSync(join(cwd, 'pipe')).isFIFO()).toBe(true);
    expect(readdirSync(cwd)).toEqual(['pipe']);
  });

  test('cannot write standard input', async () => {
    const { code, err } = await runCaptured(['spec', 'fmt', '-w', '-'], { stdin: untidy });
    expect([code, err]).toEqual([1, expect.stringContaining('[cli.file-unwritable]')]);
  });
});

describe('loam spec fmt --check', () => {
  test('names the files that would change and exits with 1; changes none', async () => {
    const { code, out, err } = await fmt('--check', file('a', untidy), file('b', tidy), file('c', untidy));
    expect([code, out, err]).toEqual([1, 'a\nc\n', '']);
    expect(read('a')).toBe(untidy);
  });

  test('says nothing and exits with 0 when all are laid out', async () => {
    expect(await fmt('-c', file('a', tidy))).toEqual({ code: 0, out: '', err: '' });
  });

  test('exits with 1 for a file that cannot be read, without naming it as one that would change', async () => {
    const { code, out, err } = await fmt('--check', file('a', tidy), file('b', '('));
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain('b:1:1');
  });
});

test.each([
  ['--check', '--write'],
  ['--check', '--compact'],
  ['--compact', '--write'],
])('%s and %s together are refused: the file stays', async (...options) => {
  expect((await fmt(...options, file('a', untidy))).code).toBe(2);
  expect((await fmt(...options.toReversed(), 'a')).code).toBe(2);
  expect(read('a')).toBe(untidy);
});

test('--help says that comments stay, and how to use it in CI', async () => {
  const { code, out } = await fmt('--help');
  expect(code).toBe(0);
  for (const word of ['comments', '--check', '--write', 'CI']) expect(out).toContain(word);
});
