import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

import { systemClock } from '@loam/base';
import { expect, onTestFinished, test, vi } from 'vitest';

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

test('one whose arguments cannot be read yet has not ended', async () => {
  const home = mkdtempSync(join(tmpdir(), 'loam-becoming-'));
  const go = join(home, 'go');
  execFileSync('mkfifo', [go]);
  const path = process.env['PATH'] ?? '';
  const becoming = `#!/bin/sh\nCONFIG=$2 PATH='${path}' exec sh -c 'read -r _ < ${go}; exec containerd --config "$CONFIG"'\n`;
  writeFileSync(join(home, 'containerd'), becoming, { mode: 0o755 });
  vi.stubEnv('PATH', `${home}${delimiter}${path}`);
  onTestFinished(() => void vi.unstubAllEnvs());
  let looks = 0;
  const daemon = await startPrivateContainerd(join(home, 'data'), {
    ...systemClock,
    after(...timer) {
      looks += 1;
      if (looks === 3) writeFileSync(go, '\n');
      return systemClock.after(...timer);
    },
  });
  expect(daemon.isRunning()).toBe(true);
  await daemon.stop();
  rmSync(home, { recursive: true, force: true });
});
