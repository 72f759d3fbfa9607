import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, expect, it, vi } from 'vitest';

import { lockStateDirectory } from './agent-lock.ts';

const role = process.env['LOAM_LANE_ROLE'];

if (role !== undefined) {
  // The other process: holds the lock until it is killed.
  await lockStateDirectory(role);
  writeFileSync(join(role, 'held'), String(process.pid));
  setInterval(() => undefined, 1_000);
} else {
  const children: ChildProcess[] = [];
  const directory = mkdtempSync(join(tmpdir(), 'Loam-lock-'));
  afterAll(() => {
    for (const child of children) child.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  });

  it('a process that has the state directory keeps others out, and its death lets them in', async () => {
    const env = { ...process.env, LOAM_LANE_ROLE: directory };
    const child = spawn(process.execPath, [process.argv[1] ?? ''], { env, stdio: 'ignore' });
    children.push(child);
    await vi.waitFor(() => expect(existsSync(join(directory, 'held'))).toBe(true));
    const refusal = { code: 'backend.state-locked', message: expect.stringContaining(String(child.pid)) as string };
    await expect(lockStateDirectory(directory)).rejects.toMatchObject(refusal);
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await exited;
    const lock = await vi.waitFor(() => lockStateDirectory(directory));
    await lock.release();
  });

  it('a failure to take it leaves it to the next', async () => {
    const inTheWay = join(directory, 'lock-holder');
    rmSync(inTheWay, { force: true });
    mkdirSync(inTheWay);
    await expect(lockStateDirectory(directory)).rejects.toThrow();
    rmSync(inTheWay, { recursive: true });
    await (await lockStateDirectory(directory)).release();
  });

  it('spellings of one directory are one lock', async () => {
    const lock = await lockStateDirectory(directory);
    for (const other of [directory.toLowerCase(), directory.replaceAll('\\', '/'), `${directory}\\.`]) {
      await expect(lockStateDirectory(other)).rejects.toMatchObject({ code: 'backend.state-locked' });
    }
    await lock.release();
    await (await lockStateDirectory(directory)).release();
  });
}
