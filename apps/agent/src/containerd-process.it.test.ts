import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '@loam/base';
import { expect, test } from 'vitest';

import { socketPath, startPrivateContainerd } from './containerd-process.ts';

test('a stop ends the shims that containerd forgot when it was killed while it started them, and no others', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'loam-shims-'));
  const daemon = await startPrivateContainerd(directory, systemClock);
  // Looks like a shim to whoever reads its arguments; the real one is only orphaned by a kill at the right moment.
  const lookalike = (socket: string) =>
    spawn('sh', ['-c', 'read never', '-namespace', 'loam', '-id', 'x', '-address', socket], {
      argv0: 'containerd-shim-runc-v2',
      stdio: ['pipe', 'ignore', 'ignore'],
    });
  const ours = lookalike(socketPath(directory));
  const others = lookalike(`${socketPath(directory)}2`);
  await Promise.all([once(ours, 'spawn'), once(others, 'spawn')]);
  const ended = once(ours, 'exit');
  await daemon.stop();
  expect((await ended)[1]).toBe('SIGKILL');
  expect(others.exitCode).toBeNull();
  others.kill();
  rmSync(directory, { recursive: true, force: true });
});
