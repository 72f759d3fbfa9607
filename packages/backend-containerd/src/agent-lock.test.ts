import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { lockStateDirectory } from './agent-lock.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'loam-lock-'));
});
afterEach(() => rm(directory, { recursive: true }));

it('vectors (6): one holder at a time, under whatever name the directory goes; the second is told the pid of the first', async () => {
  const lock = await lockStateDirectory(directory);
  const alias = join(directory, 'alias');
  await symlink(directory, alias);
  await expect(lockStateDirectory(alias)).rejects.toMatchObject({
    code: 'backend.state-locked',
    message: expect.stringContaining(`pid ${process.pid}`) as string,
  });
  await lock.release();
  await (await lockStateDirectory(directory)).release();
});

it('a lock dies with its process', async () => {
  const script = `const { lockStateDirectory } = await import(${JSON.stringify(new URL('./agent-lock.ts', import.meta.url).href)});
    await lockStateDirectory(${JSON.stringify(directory)}); console.log('locked'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  await expect(lockStateDirectory(directory)).rejects.toMatchObject({ code: 'backend.state-locked' });
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
  await (await lockStateDirectory(directory)).release();
});
