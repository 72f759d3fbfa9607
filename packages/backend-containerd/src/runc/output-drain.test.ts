import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, it, onTestFinished } from 'vitest';

import { drainOutput } from './output-drain.ts';

it.skipIf(process.platform === 'win32')('what an earlier life left unread holds nobody up who writes', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'loam-drain-'));
  const fifos = ['one.out', 'one.err'].map((name) => join(directory, name));
  // Like a shim, which has both ends open.
  const script = 'mkfifo "$@"; exec 3<>"$1" 4<>"$2"; echo ready; head -c 1000000 /dev/zero | tee /dev/fd/4 >&3';
  const writer = spawn('/bin/sh', ['-c', script, 'sh', ...fifos, join(directory, 'one.in')], {
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  onTestFinished(() => {
    // With its pipeline, which would wait for ever.
    if (writer.exitCode === null) process.kill(-(writer.pid ?? 0), 'SIGKILL');
  });
  const exited = once(writer, 'exit');
  await once(writer.stdout, 'data');
  const end = await drainOutput(directory);
  try {
    expect(await exited).toEqual([0, null]);
  } finally {
    end();
    rmSync(directory, { recursive: true });
  }
});

it('does nothing where nothing is left', async () => {
  (await drainOutput(join(tmpdir(), 'loam-no-such-directory')))();
});
