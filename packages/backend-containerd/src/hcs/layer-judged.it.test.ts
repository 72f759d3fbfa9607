import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

import { expect, it } from 'vitest';

// The golden layer before GNU tar, which knows nothing of Windows: as an archive it must be like any other.
const golden = Buffer.from(readFileSync(new URL('./testdata/layer.tar.base64', import.meta.url), 'utf8'), 'base64');

function tar(...args: string[]): string {
  const options = { input: golden, env: { ...process.env, LC_ALL: 'C.UTF-8' } };
  const { status, stdout, stderr } = spawnSync('tar', ['--warning=no-unknown-keyword', ...args], options);
  expect(stderr.toString()).toBe('');
  expect(status).toBe(0);
  return stdout.toString();
}

it('the golden layer is whole for GNU tar: kinds, modes, owners, names and links', () => {
  const lines = tar('--list', '--verbose', '--numeric-owner', '--utc', '--quoting-style=literal', '--file=-')
    .trim()
    .split('\n');
  const entries = lines.map((line) => line.replace(/\s+/g, ' ').replace(/ \d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)? /, ' '));
  expect(entries).toEqual([
    'drwxr-xr-x 0/0 0 Hives/',
    'drwxr-xr-x 0/0 0 Files/',
    'drwxr-xr-x 0/0 0 Files/src/',
    '-rw-r--r-- 0/0 9 Files/src/main.c',
    'drwxr-xr-x 0/0 0 Files/deep/',
    'drwxr-xr-x 0/0 0 Files/deep/er/',
    '-rw-r--r-- 0/0 1 Files/deep/er/größe.txt',
    'hrw-r--r-- 0/0 0 Files/src/again.c link to Files/src/main.c',
    String.raw`lrw-r--r-- 0/0 0 Files/link -> src\main.c`,
    'drwxr-xr-x 0/0 0 Files/long/',
    `-rw-r--r-- 0/0 0 Files/long/${'n'.repeat(120)}`,
  ]);
});

it('and gives its files back', () => {
  expect(tar('--extract', '--to-stdout', '--file=-', 'Files/src/main.c')).toBe('int main;');
  expect(tar('--extract', '--to-stdout', '--file=-', 'Files/deep/er/größe.txt')).toBe('x');
});
