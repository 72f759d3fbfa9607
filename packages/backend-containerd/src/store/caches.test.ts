import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { TestClock } from '@loam/base';
import { afterEach, beforeEach, expect, it } from 'vitest';

import { Caches } from './caches.ts';

let directory: string;
let caches: Caches;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'loam-caches-'));
  caches = new Caches({
    directory,
    clock: new TestClock(),
    makeDirectory: (path) => mkdir(path),
  });
});
afterEach(() => rm(directory, { recursive: true }));

it('who lets go of a cache that is removed at the same moment does not fail', async () => {
  const request = { id: 'c', sharing: 'shared', owner: { uid: 0, gid: 0 }, mode: 0o755 } as const;
  const { release, directory: own } = await caches.acquire(request, new AbortController().signal);
  // As a removal does that comes between letting go and noting when.
  await rm(join(own, '..'), { recursive: true });
  await release();
  expect(caches.inUse()).toEqual([]);
  expect(await caches.list()).toEqual([]);
});

it('a cache that is removed while it is looked at is not listed', async () => {
  const request = { id: 'c', sharing: 'shared', owner: { uid: 0, gid: 0 }, mode: 0o755 } as const;
  const { release, directory: own } = await caches.acquire(request, new AbortController().signal);
  await release();
  // Who lists has read the file before this one, and is held here.
  const held = join(own, '..', 'used');
  await rm(held);
  execFileSync('mkfifo', [held]);
  const listed = caches.list();
  const writer = await open(held, 'w');
  await rm(join(own, '..'), { recursive: true });
  await writer.close();
  expect(await listed).toEqual([]);
});
