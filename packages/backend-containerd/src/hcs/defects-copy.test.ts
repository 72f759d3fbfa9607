import { baseLayer, recordedRuns, runProgram, type Program } from '@loam/containerd-model';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { importWindowsImage, nano, openModelEngine, type ModelEngine } from '../testing/model-engine.ts';

// What OBuilder's copies on Windows do wrong (reference §11.2, vectors (10)), each with a test that would see it here.
let opened: ModelEngine;

beforeEach(async () => {
  opened = await openModelEngine();
});
afterEach(async () => {
  expect(await opened.close()).toEqual([]);
});

const administrator = '(user (name ContainerAdministrator))';
const textIn = (snapshot: string, path: string): string | undefined =>
  opened.test.model.textIn('loam', snapshot, path)?.trim();

describe('§11.2 #2, vectors (10) copy from build: files of another build', () => {
  it('arrive, from whatever step of it wrote them', async () => {
    const built = await opened.build(
      `((build tools (
        (from ${nano}) ${administrator}
        (copy (src cc.c) (dst "C:\\\\src\\\\cc.c"))
        (run (shell "mkdir C:\\\\out & copy C:\\\\src\\\\cc.c C:\\\\out\\\\cc.exe"))))
      (from ${nano}) ${administrator}
      (copy (from (build tools)) (src /out /src/cc.c) (dst "C:\\\\tools\\\\")))`,
      { files: { 'cc.c': 'int main;' } },
    );
    expect(built).toMatchObject({ kind: 'succeeded' });
    expect(textIn(built.snapshot, 'tools/out/cc.exe')).toBe('int main;');
    expect(textIn(built.snapshot, 'tools/cc.c')).toBe('int main;');
  });

  it('§11.2 #17: are not asked of an image that has no tar.exe: that is told, into such an image too', async () => {
    const bare = 'mcr.example.org/windows/bare:1';
    await importWindowsImage(opened.test, bare, { layerTar: async () => withoutTar(await baseLayer()) });
    const into = `((from ${bare}) ${administrator} (copy (src a) (dst "C:\\\\a")))`;
    const from = `((build bare ((from ${bare}))) (from ${nano}) (copy (from (build bare)) (src /Windows) (dst "C:\\\\w")))`;
    for (const spec of [into, from]) {
      expect(await opened.build(spec, { files: { a: 'x' } })).toMatchObject({ error: { code: 'backend.tar-missing' } });
    }
    const { kind } = await opened.build(`((from ${bare}) (run (shell ver)))`);
    expect(kind).toBe('succeeded');
  });
});

describe('vectors (4): a tar that dies', () => {
  it.each([
    ['in the middle of a file', Buffer.from('src\0'.padEnd(9_000, 'x')), 'tar.exe'],
    ['before it has written anything of it', Buffer.alloc(1024), 'Out of memory'],
  ])('%s is told, not taken for files that are not there, and leaves nothing', async (_, bytes, words) => {
    expect(await opened.close()).toEqual([]);
    const dies: Program = async (context) => {
      if (!/tar\.exe$/i.test(context.argv[0] ?? '')) return runProgram(context);
      context.output('stdout', new Uint8Array(bytes));
      context.output('stderr', new TextEncoder().encode('tar.exe: Out of memory'));
      return 0xc0000017;
    };
    opened = await openModelEngine({ model: { program: dies } });
    const built = await opened.build(
      `((build tools ((from ${nano}))) (from ${nano}) (copy (from (build tools)) (src /Windows) (dst "C:\\\\w")))`,
    );
    expect(built.error).toMatchObject({ code: 'backend.tree-unreadable', message: expect.stringContaining(words) });
    expect(await opened.test.client.containers.list()).toEqual([]);
  });
});

/** Gives that entry another name of the same length and checksum. */
function withoutTar(layer: Uint8Array): Uint8Array {
  const bytes = Buffer.from(layer);
  bytes.write('rat.exe', bytes.indexOf('tar.exe'));
  return new Uint8Array(bytes);
}

describe('vectors (10) workdir: a directory without a drive', () => {
  it('gets that of the system, and is made', async () => {
    const built = await opened.build(
      `((from ${nano}) ${administrator} (workdir /x/y) (run (shell "echo here> made.txt & cd")))`,
    );
    expect(built.log).toContain('C:\\x\\y\r\n');
    expect(textIn(built.snapshot, 'x/y/made.txt')).toBe('here');
    const [, run] = recordedRuns(opened.test.model.recording).map(({ spec }) => spec.process?.cwd);
    expect(run).toBe('C:\\');
  });
});

describe('vectors (10) out: a destination with a final backslash', () => {
  it('is a directory, also for one source', async () => {
    const built = await opened.build(`((from ${nano}) ${administrator} (copy (src a) (dst "C:\\\\out\\\\")))`, {
      files: { a: 'x' },
    });
    expect(textIn(built.snapshot, 'out/a')).toBe('x');
  });
});

describe('vectors (10) tar names: names of a copy', () => {
  it('are paths below the destination, whichever slashes the spec has', async () => {
    const built = await opened.build(
      `((from ${nano}) ${administrator} (workdir "C:\\\\w") (copy (src dir) (dst "sub/deep\\\\")) (copy (src dir) (dst sub\\\\flat)))`,
      { files: { 'dir/in/a': 'x' } },
    );
    expect(built.error).toBeUndefined();
    expect(textIn(built.snapshot, 'w/sub/deep/dir/in/a')).toBe('x');
    expect(textIn(built.snapshot, 'w/sub/flat/in/a')).toBe('x');
  });
});
