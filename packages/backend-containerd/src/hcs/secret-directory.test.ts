import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { SecretDirectory } from './secret-directory.ts';

let root: string;
let commands: string[];
let contents: string[];
let secrets: SecretDirectory;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'loam-secrets-'));
  commands = [];
  contents = [];
  secrets = new SecretDirectory(join(root, 'secrets'), async (program, args) => {
    commands.push([program, ...args].join(' ').replaceAll(root, 'S:').replaceAll('\\', '/'));
    contents.push(await readFile(args[0] ?? '', 'utf8').catch(() => '(directory)'));
  });
});
afterEach(() => rm(root, { recursive: true }));

const value = new TextEncoder().encode('hunter2');

describe('secrets on Windows', () => {
  it('§11.2 #1, vectors (10) secrets: are mounted read-only, from files that were restricted before they had content', async () => {
    const mounts = await secrets.write('run-1', [{ target: 'C:\\s\\a', value }], 'ContainerUser');
    expect(mounts).toEqual([{ source: join(root, 'secrets', 'run-1', '0'), target: 'C:\\s\\a', readonly: true }]);
    expect(await readFile(mounts[0]?.source ?? '', 'utf8')).toBe('hunter2');
    expect(commands).toEqual([
      'icacls S:/secrets /inheritance:r /grant:r *S-1-5-18:(OI)(CI)F *S-1-5-32-544:(OI)(CI)F',
      'icacls S:/secrets/run-1/0 /inheritance:r /grant:r *S-1-5-18:F *S-1-5-32-544:F *S-1-5-93-2-2:R',
    ]);
    expect(contents).toEqual(['(directory)', '']);
  });

  it('are for administrators only, unless the step runs as somebody else', async () => {
    await secrets.write('a', [{ target: 'C:\\s', value }], 'ContainerAdministrator');
    await secrets.write('b', [{ target: 'C:\\s', value }], 'builder');
    expect(commands.slice(1).map((line) => line.split(' ').slice(6))).toEqual([[], ['*S-1-5-11:R']]);
  });

  it('go with the run, and all of them after a crash', async () => {
    await secrets.write('a', [{ target: 'C:\\s', value }], 'ContainerUser');
    await secrets.write('b', [{ target: 'C:\\s', value }], 'ContainerUser');
    await secrets.remove('a');
    expect(await secrets.list()).toEqual(['b']);
    await secrets.removeAll();
    expect(await secrets.list()).toEqual([]);
  });

  it('a step without secrets touches nothing', async () => {
    expect(await secrets.write('a', [], 'ContainerUser')).toEqual([]);
    expect(commands).toEqual([]);
  });
});
