import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { fileShellMemory } from './shell-memory.ts';

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'loam-shells-'));
  file = join(directory, 'shells.json');
});
afterEach(() => rmSync(directory, { recursive: true }));

describe('fileShellMemory', () => {
  it('knows what an earlier process has found', () => {
    fileShellMemory(file).set('sha256:a', ['/bin/bash', '-c']);
    const memory = fileShellMemory(file);
    memory.set('sha256:b', ['/bin/sh', '-c']);
    expect(fileShellMemory(file).get('sha256:a')).toEqual(['/bin/bash', '-c']);
    expect(fileShellMemory(file).get('sha256:b')).toEqual(['/bin/sh', '-c']);
    expect(memory.get('sha256:c')).toBeUndefined();
  });

  it('a broken file is as good as none', () => {
    for (const broken of ['', '{', '7', 'null', '{"sha256:a":"sh"}', '{"sha256:a":[]}', '{"sha256:a":[7]}']) {
      writeFileSync(file, broken);
      expect(fileShellMemory(file).get('sha256:a')).toBeUndefined();
    }
  });
});
