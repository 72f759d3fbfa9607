import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { OutputSpool } from './output-spool.ts';

let directory: string;
let spool: OutputSpool;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'loam-spool-'));
  spool = new OutputSpool(join(directory, 'spool'));
});
afterEach(async () => {
  await spool.remove();
  expect(await readdir(directory)).toEqual([]);
  await rm(directory, { recursive: true });
});

async function text(offset?: number, count?: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of spool.read(offset, count)) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

describe('a spool', () => {
  it('is read while it is written, by several readers, from any offset', async () => {
    const readers = [text(), text(3), text(2, 4), text(100), text(0, 0)];
    spool.write(Buffer.from('abc'));
    await text(0, 3);
    spool.write(Buffer.from('defgh'));
    spool.end();
    expect(await Promise.all(readers)).toEqual(['abcdefgh', 'defgh', 'cdef', '', '']);
    expect(await text(1, 2)).toBe('bc');
  });

  it('holds more than one chunk whole', async () => {
    const part = 'x'.repeat(700_000);
    for (let number = 0; number < 5; number++) spool.write(Buffer.from(part));
    spool.end();
    expect((await text()).length).toBe(5 * part.length);
  });

  it('that failed tells its readers', async () => {
    const reading = text();
    spool.fail(new Error('the container is gone'));
    await expect(reading).rejects.toThrow('the container is gone');
  });

  it('that is removed ends those who still read', async () => {
    spool.write(Buffer.from('a'));
    const ending = expect(text()).rejects.toThrow('closed');
    await text(0, 1);
    await spool.remove();
    await ending;
    await expect(text()).rejects.toThrow('closed');
  });
});
