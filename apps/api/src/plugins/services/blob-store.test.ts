import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

import { openBlobStore } from './blob-store.ts';

test('a removal leaves the directory of a blob, where another may just be moved to', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'loam-blobs-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const blobs = await openBlobStore(directory, 1000);
  const digest = await blobs.putBytes(Buffer.from('gone'));
  const directories = await readdir(join(directory, 'sha256'));
  expect(directories).toHaveLength(1);
  await blobs.remove(digest);
  await blobs.remove(digest);
  expect(await blobs.size(digest)).toBeUndefined();
  expect(await readdir(join(directory, 'sha256'))).toEqual(directories);
});
