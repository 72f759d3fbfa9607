import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test, vi } from 'vitest';

import { favourCgroupMoves, hierarchyName } from './cgroup-moves.ts';
import { mountPoints } from './host-mount.ts';

async function hierarchies(): Promise<string[]> {
  const lines = (await readFile('/proc/self/cgroup', 'utf8')).trim().split('\n');
  return lines.map((line) => line.split(':')[1] ?? '');
}

test('moves are favoured by a hierarchy that no directory shows and that goes with its holders', async () => {
  const parent = await mkdtemp(join(tmpdir(), 'loam-cgroup-'));
  const directory = join(parent, 'moves');
  const first = await favourCgroupMoves(directory);
  const second = await favourCgroupMoves(directory);
  expect(await hierarchies()).toContain(`name=${hierarchyName}`);
  expect(await mountPoints()).not.toContain(directory);
  expect(existsSync(directory)).toBe(false);
  await Promise.all([first(), second()]);
  await rm(parent, { recursive: true });
});

test('where it cannot be mounted nothing happens', async () => {
  const parent = await mkdtemp(join(tmpdir(), 'loam-cgroup-'));
  vi.stubEnv('PATH', '/nowhere');
  const release = await favourCgroupMoves(join(parent, 'moves')).finally(() => vi.unstubAllEnvs());
  await release();
  await rm(parent, { recursive: true });
});
