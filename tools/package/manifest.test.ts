import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { freshPlatforms, recordPackage } from './manifest.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'loam-manifest-'));
  writeFileSync(path.join(directory, 'agent.exe'), 'for windows');
  writeFileSync(path.join(directory, 'agent'), 'for linux');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const about = { version: '1.2.3', commit: 'abc', digest: 'sources-1' };
const manifest = (): unknown => JSON.parse(readFileSync(path.join(directory, 'manifest.json'), 'utf8'));
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

it('the manifest names each file with its size and digest; making one again leaves the other', async () => {
  await recordPackage(directory, 'windows-x64', 'agent.exe', about);
  await recordPackage(directory, 'linux-x64', 'agent', about);
  writeFileSync(path.join(directory, 'agent.exe'), 'for windows, again');
  await recordPackage(directory, 'windows-x64', 'agent.exe', about);
  expect(manifest()).toEqual({
    version: '1.2.3',
    commit: 'abc',
    files: [
      { platform: 'linux-x64', name: 'agent', size: 9, sha256: sha256('for linux') },
      { platform: 'windows-x64', name: 'agent.exe', size: 18, sha256: sha256('for windows, again') },
    ],
  });
  expect(readdirSync(directory).filter((name) => name.endsWith('.new'))).toEqual([]);
});

it('sources that are not in git have no commit', async () => {
  await recordPackage(directory, 'linux-x64', 'agent', { ...about, commit: undefined });
  expect(manifest()).not.toHaveProperty('commit');
});

it('an executable is stale when the sources are others, or when it is gone', async () => {
  expect(freshPlatforms(directory, () => 'sources-1')).toEqual([]);
  await recordPackage(directory, 'windows-x64', 'agent.exe', about);
  await recordPackage(directory, 'linux-x64', 'agent', { ...about, digest: 'sources-2' });
  expect(freshPlatforms(directory, () => 'sources-1')).toEqual(['windows-x64']);
  expect(freshPlatforms(directory, () => 'sources-2')).toEqual(['linux-x64']);
  rmSync(path.join(directory, 'agent'));
  expect(freshPlatforms(directory, () => 'sources-2')).toEqual([]);
});
