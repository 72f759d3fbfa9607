import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createShimStarter, type ShimStarter } from './shim-starter.ts';

const address = 'unix:///run/containerd/s/0123';
const path = process.env['PATH'] ?? '';
let home: string;
let programs: string;
let starter: ShimStarter | undefined;

describe.skipIf(process.platform === 'win32')('the program that containerd runs to start a shim', () => {
  beforeEach(async () => {
    home = mkdtempSync(join(tmpdir(), 'loam-shims-'));
    programs = join(home, 'bin');
    mkdirSync(programs);
    writeFileSync(join(programs, 'containerd-shim-runc-v2'), '#!/bin/sh\nprintf "real: %s" "$*"\n', { mode: 0o755 });
    process.env['PATH'] = `${programs}${delimiter}${path}`;
    for (const bundle of ['before', 'next']) mkdirSync(join(home, 'state', bundle), { recursive: true });
    writeFileSync(join(home, 'state', 'before', 'address'), address);
    starter = await createShimStarter(join(home, 'shims'));
  });
  afterEach(() => {
    process.env['PATH'] = path;
    rmSync(home, { recursive: true, force: true });
  });

  /** As containerd runs it; gives what it prints, on either stream, which is what containerd reads. */
  function run(...args: readonly string[]): string {
    const command = [starter?.path ?? '', '-namespace', 'loam', '-address', '/x', '-publish-binary', 'y', ...args];
    const cwd = join(home, 'state', 'next');
    return execFileSync('/bin/sh', ['-c', 'exec "$@" 2>&1', 'sh', ...command], { cwd, encoding: 'utf8' });
  }
  const kept = (): string => join(home, 'state', 'next', 'address');

  it('names the shim of the task before, and keeps its address for a containerd that is started again', async () => {
    await starter?.succeed('next', 'before');
    expect(run('-id', 'next', 'start')).toBe(address);
    expect(readFileSync(kept(), 'utf8')).toBe(address);
    expect(run('-id', 'next', '-debug', 'start')).toBe(address);
  });

  it('says what containerd 2 keeps of the task before, which keeps the same of the next by itself', async () => {
    const answer = `{"version":3,"address":"${address}","protocol":"ttrpc"}`;
    rmSync(join(home, 'state', 'before', 'address'));
    writeFileSync(join(home, 'state', 'before', 'bootstrap.json'), answer);
    await starter?.succeed('next', 'before');
    expect(run('-id', 'next', 'start')).toBe(answer);
    expect(readdirSync(join(home, 'state', 'next'))).toEqual([]);
  });

  it('leaves everything else to the real one, with all arguments', async () => {
    const asked = 'real: -namespace loam -address /x -publish-binary y -id next';
    expect(run('-id', 'next', 'start')).toBe(`${asked} start`);
    await starter?.succeed('next', 'gone');
    expect(run('-id', 'next', 'start')).toBe(`${asked} start`);
    await starter?.succeed('next', 'before');
    expect(run('-id', 'next', '-bundle', 'a b', 'delete')).toBe(`${asked} -bundle a b delete`);
    expect(existsSync(kept())).toBe(false);
    await starter?.forget('next');
    expect(run('-id', 'next', 'start')).toBe(`${asked} start`);
  });

  it('keeps nothing of what is forgotten, nor of an earlier life', async () => {
    const shims = join(home, 'shims');
    await starter?.succeed('next', 'before');
    await starter?.forget('next');
    await starter?.forget('next');
    expect(readdirSync(shims)).toEqual(['containerd-shim-runc-v2']);
    await starter?.succeed('next', 'before');
    await createShimStarter(shims);
    expect(readdirSync(shims)).toEqual(['containerd-shim-runc-v2']);
  });

  it('is not used where the real one is not found', async () => {
    rmSync(join(programs, 'containerd-shim-runc-v2'));
    process.env['PATH'] = programs;
    expect(await createShimStarter(join(home, 'shims'))).toBeUndefined();
  });
});
