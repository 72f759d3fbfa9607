import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { favourCgroupMoves, hierarchyName } from './cgroup-moves.ts';
import { mountPoints } from './host-mount.ts';

let parent: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'loam-test-'));
});
afterEach(() => rm(parent, { recursive: true }));

async function hierarchies(): Promise<string[]> {
  const lines = (await readFile('/proc/self/cgroup', 'utf8')).trim().split('\n');
  return lines.map((line) => line.split(':')[1] ?? '');
}

const mountsBelow = async (): Promise<string[]> =>
  (await mountPoints()).filter((point) => point.startsWith(`${parent}/`));

test('moves are favoured by a hierarchy that no directory shows and that goes with its holders', async () => {
  const releases = await Promise.all([favourCgroupMoves(parent), favourCgroupMoves(parent)]);
  expect(await hierarchies()).toContain(`name=${hierarchyName}`);
  expect([await mountsBelow(), await readdir(parent)]).toEqual([[], []]);
  for (const release of releases) await release();
});

test('what a killed process left mounted is removed, and nothing of one that lives', async () => {
  // The largest number that the kernel gives is 2^22.
  const [dead, alive] = ['4194305-x', `${process.pid}-x`].map((name) => join(parent, `loam-cgroup-${name}`)) as [
    string,
    string,
  ];
  for (const directory of [dead, alive]) {
    mkdirSync(directory);
    execFileSync('mount', ['-t', 'tmpfs', 'none', directory]);
  }
  await (
    await favourCgroupMoves(parent)
  )();
  expect(await mountsBelow()).toEqual([alive]);
  execFileSync('umount', [alive]);
});

test('where it cannot be mounted nothing happens', async () => {
  vi.stubEnv('PATH', '/nowhere');
  const release = await favourCgroupMoves(parent).finally(() => vi.unstubAllEnvs());
  await release();
  expect(await readdir(parent)).toEqual([]);
});
