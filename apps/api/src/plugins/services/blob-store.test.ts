import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';

import { systemClock } from '@loam/base';
import { beforeEach, expect, onTestFinished, test } from 'vitest';

import { openBlobStore } from './blob-store.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'loam-blobs-'));
  onTestFinished(() => rm(directory, { recursive: true }));
});
const open = () => openBlobStore(directory, 1000, systemClock);

test('another process that starts takes nothing from one that is just receiving, and removes what a crash left', async () => {
  const incoming = join(directory, 'incoming');
  const blobs = await open();
  const source = new PassThrough();
  const digest = `sha256:${createHash('sha256').update('half and half').digest('hex')}`;
  const receiving = blobs.put(digest, source);
  source.write('half and ');
  await expect.poll(() => readdir(incoming)).toHaveLength(1);
  const left = join(incoming, 'left');
  await writeFile(left, 'half and ');
  const longAgo = Date.now() / 1000 - 7200;
  await utimes(left, longAgo, longAgo);
  await open();
  expect(await readdir(incoming)).not.toContain('left');
  source.end('half');
  expect(await receiving).toBe(13);
  expect((await blobs.read(digest)).toString()).toBe('half and half');
});

test('a removal leaves the directory of a blob, where another may just be moved to', async () => {
  const blobs = await open();
  const digest = await blobs.putBytes(Buffer.from('gone'));
  const directories = await readdir(join(directory, 'sha256'));
  expect(directories).toHaveLength(1);
  await blobs.remove(digest);
  await blobs.remove(digest);
  expect(await blobs.size(digest)).toBeUndefined();
  expect(await readdir(join(directory, 'sha256'))).toEqual(directories);
});
