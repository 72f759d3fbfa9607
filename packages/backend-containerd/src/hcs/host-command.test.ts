import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { runHostCommand } from './host-command.ts';

const systemRoot = process.env['SystemRoot'];
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'loam-host-command-'));
  await mkdir(join(directory, 'System32'));
  process.env['SystemRoot'] = directory;
});
afterEach(async () => {
  if (systemRoot === undefined) delete process.env['SystemRoot'];
  else process.env['SystemRoot'] = systemRoot;
  await rm(directory, { recursive: true });
});

it('a program of the host that cannot be run is an error with a code, which keeps its arguments to the log', async () => {
  const failed = await runHostCommand('icacls', ['C:\\agent\\secret-of-run-1']).catch((error: unknown) => error);
  expect(failed).toMatchObject({
    code: 'backend.host-command-failed',
    message: 'The host could not run icacls.exe: it ended with ENOENT.',
    internal: expect.stringContaining('ENOENT') as string,
  });
  expect(JSON.stringify((failed as { toPublic(): unknown }).toPublic())).not.toContain('secret-of-run-1');
});
