import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { claimStateDirectory } from './config.ts';
import { protectDirectory } from './protect-directory.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loam-protect-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

it('asks icacls, by its full path, to give a directory to administrators, and to leave nobody else in', () => {
  const asked: string[] = [];
  protectDirectory('C:\\state', {
    platform: 'win32',
    run: (program, parameters) => void asked.push([program.replace(/^.*(?=System32)/, ''), ...parameters].join(' ')),
  });
  expect(asked.map((line) => line.replaceAll('/', '\\'))).toEqual([
    'System32\\icacls.exe C:\\state \\setowner *S-1-5-32-544 \\Q',
    'System32\\icacls.exe C:\\state \\inheritance:r \\grant:r *S-1-5-18:(OI)(CI)F *S-1-5-32-544:(OI)(CI)F \\Q',
    'System32\\icacls.exe C:\\state \\remove:g *S-1-1-0 *S-1-5-32-545 *S-1-5-11 *S-1-3-0 \\Q',
  ]);
});

it('does not go on with a directory that stayed open', () => {
  const run = (): void => {
    throw new Error('Command failed: icacls.exe');
  };
  expect(() => protectDirectory(directory, { platform: 'win32', run })).toThrow(
    expect.objectContaining({ code: 'agent.state-unprotected' }),
  );
});

it('what will hold a credential is closed also when it was there before', () => {
  const closed: string[] = [];
  claimStateDirectory(directory, (each) => void closed.push(each));
  claimStateDirectory(join(directory, 'new'), (each) => void closed.push(each));
  expect(closed).toEqual([directory, join(directory, 'new')]);
});
