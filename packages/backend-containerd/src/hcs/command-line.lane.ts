import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, it } from 'vitest';

import { cmdCommandLine } from './command-line.ts';
import { runHostCommand } from './host-command.ts';

const showArguments = process.env['LOAM_LANE_SHOW_ARGUMENTS'] ?? '';
const home = mkdtempSync(join(tmpdir(), 'loam-lines-'));
afterAll(() => rmSync(home, { recursive: true, force: true, maxRetries: 5 }));

/** What a program writes that CreateProcess is given this line for. */
async function said(program: string, rest: string): Promise<string> {
  const file = join(home, 'output');
  const output = openSync(file, 'w');
  const child = spawn(program, [rest], { stdio: ['ignore', output, output], windowsVerbatimArguments: true });
  await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
  closeSync(output);
  return readFileSync(file, 'utf8');
}

describe('a command line', () => {
  it('of a step’s cmd reaches it as it stands', async () => {
    const line = cmdCommandLine(['cmd', '/S', '/C', 'echo "a b" & echo ^& & echo done']) ?? '';
    expect(line).toBe('cmd /S /C "echo "a b" & echo ^& & echo done"');
    const seen = await said(showArguments, line.slice('cmd '.length));
    expect(seen.slice(seen.indexOf('/S'))).toBe('/S /C "echo "a b" & echo ^& & echo done"');
  });

  it('of a step’s cmd is run between its first and its last quote', async () => {
    const line = cmdCommandLine(['cmd', '/S', '/C', 'echo "a b"& echo ^& & (echo done)']) ?? '';
    const lines = (await said('cmd.exe', line.slice('cmd '.length))).split('\r\n');
    expect(lines.map((text) => text.trimEnd())).toEqual(['"a b"', '&', 'done', '']);
  });
});

describe('a program of the host', () => {
  it('that fails is told as such', async () => {
    await runHostCommand('cmd.exe', ['/C', 'exit 0']);
    await expect(runHostCommand('cmd.exe', ['/C', 'exit 7'])).rejects.toMatchObject({
      code: 'backend.host-command-failed',
      message: expect.stringContaining('cmd.exe: it ended with 7') as string,
    });
    await expect(runHostCommand('no-such-program', [])).rejects.toMatchObject({ cause: { code: 'ENOENT' } });
  });
});
