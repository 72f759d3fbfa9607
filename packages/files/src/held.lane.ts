import { constants, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

import { afterAll, describe, expect, it } from 'vitest';

import { removeFile, removeFileSync, removeIfFree, removeTree, removeTreeSync } from './remove.ts';
import { replaceFile, replaceFileSync } from './replace-file.ts';

const home = mkdtempSync(join(tmpdir(), 'loam-held-'));
afterAll(() => rmSync(home, { recursive: true, force: true, maxRetries: 5 }));

/** UV_FS_O_EXLOCK: opened so, nobody may read, write or delete it. The strictest of scanners. */
const withNobody = constants.O_RDWR | 0x1000_0000;
let names = 0;

/** A file three levels deep, which another thread has open with nobody for so many milliseconds from now on. */
async function heldFile(ms: number): Promise<{ tree: string; file: string; stop: () => Promise<number> }> {
  const tree = join(home, String(names++));
  const file = join(tree, 'below', 'deep', 'file');
  mkdirSync(join(tree, 'below', 'deep'), { recursive: true });
  writeFileSync(file, 'old');
  const worker = new Worker(
    `const { openSync, closeSync } = require('node:fs');
     const { parentPort, workerData: { file, flags, ms } } = require('node:worker_threads');
     const fd = openSync(file, flags);
     parentPort.postMessage('open');
     setTimeout(() => closeSync(fd), ms);`,
    { eval: true, workerData: { file, flags: withNobody, ms } },
  );
  await new Promise((resolve) => worker.once('message', resolve));
  return { tree, file, stop: () => worker.terminate() };
}

describe('a file that somebody has open', () => {
  it('cannot be replaced at that moment: this is what the retries are for', async () => {
    const file = join(home, 'refused');
    await writeFile(file, 'old');
    await writeFile(`${file}.new`, 'new');
    const held = await open(file, 'r');
    await expect(rename(`${file}.new`, file)).rejects.toMatchObject({ code: 'EPERM' });
    await held.close();
  });

  it.each([
    ['replaceFile', replaceFile],
    ['replaceFileSync', async (from: string, to: string) => replaceFileSync(from, to)],
  ])('is replaced when it has been closed: %s', async (_, replace) => {
    const { file, stop } = await heldFile(200);
    writeFileSync(`${file}.new`, 'new');
    await replace(`${file}.new`, file);
    expect(readFileSync(file, 'utf8')).toBe('new');
    await stop();
  });

  it('for good cannot be replaced, and is as it was', async () => {
    const file = join(home, 'for-good');
    await writeFile(file, 'old');
    await writeFile(`${file}.new`, 'new');
    const held = await open(file, 'r');
    await expect(replaceFile(`${file}.new`, file)).rejects.toMatchObject({ code: 'EPERM' });
    await held.close();
    expect(readFileSync(file, 'utf8')).toBe('old');
  });

  it.each([
    ['removeFile', removeFile],
    ['removeFileSync', async (file: string) => removeFileSync(file)],
  ])('is removed when it has been closed: %s', async (_, remove) => {
    const { file, stop } = await heldFile(200);
    expect(removeIfFree(file)).toBe(false);
    await remove(file);
    expect(existsSync(file)).toBe(false);
    await stop();
  });

  it.each([
    ['removeTree', removeTree],
    ['removeTreeSync', async (path: string) => removeTreeSync(path)],
  ])('goes with its tree when it has been closed: %s', async (_, remove) => {
    const { tree, stop } = await heldFile(200);
    await remove(tree);
    expect(existsSync(tree)).toBe(false);
    await stop();
  });

  it('for good keeps its tree waiting for a second, however deep it lies', async () => {
    const { tree, file, stop } = await heldFile(1_000_000);
    const startedAt = performance.now();
    await expect(removeTree(tree)).rejects.toMatchObject({ code: 'EBUSY' });
    // Each level with retries of its own would make it a minute.
    expect(performance.now() - startedAt).toBeLessThan(20_000);
    expect(existsSync(file)).toBe(true);
    await stop();
  });
});
