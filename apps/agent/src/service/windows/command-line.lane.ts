import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, expect, it } from 'vitest';

import { windowsCommandLine } from './command-line.ts';

const home = mkdtempSync(join(tmpdir(), 'loam lines '));
afterAll(() => rmSync(home, { recursive: true, force: true, maxRetries: 5 }));

const odd = ['plain', 'a b', 'say "hi"', 'C:\\dir\\', 'C:\\a b\\', '\\\\"', 'ünïcödé ☃', '%PATH% ^& |', "it's", ''];

it('a command line through CreateProcess comes back as the arguments that it was made of', async () => {
  const file = join(home, 'argv');
  const write = `require('fs').writeFileSync(${JSON.stringify(file)}, JSON.stringify(process.argv.slice(1)))`;
  // Node puts the program before it, as it stands.
  const rest = windowsCommandLine(['-e', write, '--', ...odd]);
  const child = spawn(process.execPath, [rest], { stdio: 'ignore', windowsVerbatimArguments: true });
  await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(odd);
});
