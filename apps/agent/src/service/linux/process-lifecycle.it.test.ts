import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loam-notify-'));
  // In the place of systemd's program: that one wants a systemd.
  const standIn = `#!/bin/sh\necho "$1 $NOTIFY_SOCKET" >>${directory}/told\n[ "$1" = --ready ] && echo told >&2\nexit 0\n`;
  writeFileSync(join(directory, 'systemd-notify'), standIn, { mode: 0o755 });
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const daemon = `
  const { processLifecycle } = await import(${JSON.stringify(new URL('./process-lifecycle.ts', import.meta.url).href)});
  const { stop, onStarted, onStopping } = processLifecycle();
  const alive = setInterval(() => {}, 1000);
  process.stdout.write('socket of children: ' + process.env.NOTIFY_SOCKET + '\\n');
  onStarted();
  process.stdout.write(await stop);
  onStopping();
  clearInterval(alive);
`;

async function life(environment: Record<string, string>): Promise<string> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', daemon], {
    env: { PATH: `${directory}:${process.env['PATH']}`, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
  await once(child.stdout, 'data');
  child.kill('SIGTERM');
  await once(child, 'close');
  return printed;
}

const told = (): string => execFileSync('sort', [join(directory, 'told')], { encoding: 'utf8' });

it('tells systemd when it is up and when it ends, and leaves its socket to no program', async () => {
  expect(await life({ NOTIFY_SOCKET: '/run/asked' })).toBe('socket of children: undefined\nSIGTERM');
  expect(told()).toBe('--ready /run/asked\nSTOPPING=1 /run/asked\n');
});

it('tells nobody when nobody asks', async () => {
  expect(await life({})).toBe('socket of children: undefined\nSIGTERM');
  expect(() => readFileSync(join(directory, 'told'))).toThrow('ENOENT');
});
