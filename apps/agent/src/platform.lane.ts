import { existsSync, mkdtempSync, mkdirSync, rmSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

import { afterAll, describe, expect, it } from 'vitest';

import { defaultStateDirectory, readFarmConfig, readIdentity, writeFarmConfig } from './config.ts';

const home = mkdtempSync(join(tmpdir(), 'loam-platform-'));
afterAll(() => rmSync(home, { recursive: true, force: true, maxRetries: 5 }));

const farm = { url: 'http://127.0.0.1:9', agentId: 'agt_x', credential: 'x', name: 'n', pool: 'p', slots: 1 };

/** Opens a file in another thread, and closes it after so many milliseconds. Resolves when it is open. */
async function holdOpen(file: string, ms: number): Promise<Worker> {
  const worker = new Worker(
    `const { openSync, closeSync } = require('node:fs');
     const { parentPort, workerData } = require('node:worker_threads');
     const fd = openSync(workerData.file, 'r');
     parentPort.postMessage('open');
     setTimeout(() => closeSync(fd), workerData.ms);`,
    { eval: true, workerData: { file, ms } },
  );
  await new Promise((resolve) => worker.once('message', resolve));
  return worker;
}

it('this is win32, of a version that Node accepts', () => {
  expect(process.platform).toBe('win32');
  expect(Number(release().split('.')[2])).toBeGreaterThanOrEqual(14393);
});

describe('the state directory', () => {
  it('lies in ProgramData, which is there', () => {
    expect(defaultStateDirectory()).toBe('C:\\ProgramData\\loam-agent');
    expect(existsSync('C:\\ProgramData')).toBe(true);
  });

  it('keeps its identity and its farm, under whatever case and slashes it is named', () => {
    const state = join(home, 'State');
    mkdirSync(state);
    const identity = readIdentity(state);
    writeFarmConfig(state, farm);
    writeFarmConfig(state, { ...farm, slots: 3 });
    expect(readIdentity(state.toUpperCase())).toBe(identity);
    expect(readFarmConfig(state.replaceAll('\\', '/'))).toMatchObject({ agentId: 'agt_x', slots: 3 });
  });

  it('may lie deeper than 260 characters', () => {
    const state = join(home, ...Array.from({ length: 8 }, (_, level) => `${level}`.padEnd(50, 'x')));
    mkdirSync(state, { recursive: true });
    expect(state.length).toBeGreaterThan(400);
    expect(readIdentity(state)).toBe(readIdentity(state));
  });
});

describe('a file that somebody has open', () => {
  it('is replaced when it has been closed', async () => {
    const state = join(home, 'held');
    mkdirSync(state);
    const worker = await holdOpen(writeFarmConfig(state, farm), 200);
    writeFarmConfig(state, { ...farm, slots: 7 });
    expect(readFarmConfig(state).slots).toBe(7);
    await worker.terminate();
  });
});
