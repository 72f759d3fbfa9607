import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { makeWorkFolder } from './work-folder.mjs';

let parent;
beforeEach(() => {
  parent = mkdtempSync(path.join(tmpdir(), 'loam-work-folder-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(parent, { recursive: true, force: true });
});

const make = (pid) => mkdirSync(path.join(parent, `run-${pid}-abc`, 'inside'), { recursive: true });

it('removes what killed processes left, after what is to be done before, and nothing else', async () => {
  const { pid: gone } = spawnSync('true');
  for (const pid of [gone, process.pid]) make(pid);
  mkdirSync(path.join(parent, `other-${gone}-abc`));
  const seen = [];
  const folder = await makeWorkFolder(parent, 'run-', async (left) => seen.push([left, readdirSync(left)]));
  expect(seen).toEqual([[path.join(parent, `run-${gone}-abc`), ['inside']]]);
  expect(readdirSync(parent).toSorted()).toEqual(
    [path.basename(folder), `other-${gone}-abc`, `run-${process.pid}-abc`].toSorted(),
  );
});

it('leaves what processes of others have', async () => {
  make(1);
  vi.spyOn(process, 'kill').mockImplementation(() => {
    throw Object.assign(new Error('not ours'), { code: 'EPERM' });
  });
  await makeWorkFolder(parent, 'run-');
  expect(readdirSync(parent)).toContain('run-1-abc');
});
