import { systemClock } from '@loam/base';
import { expect, it } from 'vitest';

import { LayerTree } from '../storage/layer-tree.ts';
import { cmdShell } from './cmd-shell.ts';
import type { StandIns } from './other-programs.ts';
import { volumePath } from './program.ts';

/** Runs a script in a container that has these files, each program being an empty one. */
async function run(script: string, files: Record<string, string> = {}, standIns: StandIns = {}) {
  const tree = new LayerTree();
  for (const [path, text] of Object.entries(files)) {
    const inside = volumePath(path);
    tree.makeDirectories(inside.split('/').slice(0, -1).join('/'), { mtimeMs: 0 });
    tree.writeFile(inside, text, { mtimeMs: 0 });
  }
  let output = '';
  const commandLine = `cmd /S /C "${script}"`;
  const code = await cmdShell(
    {
      commandLine,
      argv: [],
      cwd: 'C:\\',
      env: new Map([['Path', 'C:\\tools']]),
      user: '',
      hostname: 'builder',
      hasNetwork: false,
      memoryLimitBytes: undefined,
      clock: systemClock,
      signal: new AbortController().signal,
      onConsoleEvent: () => undefined,
      output: (_, bytes) => (output += Buffer.from(bytes as Uint8Array).toString()),
      stdin: async function* () {
        yield* [];
        await Promise.resolve();
      },
      holdOutputs: () => () => undefined,
      at: (path) => ({ tree, path: volumePath(path), readonly: false }),
    },
    standIns,
  );
  return { code, output, text: (path: string) => Buffer.from(tree.readFile(path) ?? '').toString() };
}

it('takes parentheses as text outside of groups', async () => {
  expect((await run('echo (lang dune 3.0)> dune-project')).text('dune-project')).toBe('(lang dune 3.0)\r\n');
  expect((await run('(echo a& echo b(c) & echo d')).output).toBe('a\r\nb(c\r\nd\r\n');
});

it('fills in the error level of a line before it runs the line, and that of a batch file line by line', async () => {
  const standIns = { fails: () => 3010 };
  const files = { 'C:\\tools\\fails.exe': 'MZ', 'C:\\t.cmd': '@echo off\r\nfails\r\nexit /b %ERRORLEVEL%\r\n' };
  expect((await run('fails & echo %ERRORLEVEL%', files, standIns)).output).toBe('0\r\n');
  expect((await run('C:\\t.cmd', files, standIns)).code).toBe(3010);
});

it('a batch file that is called leaves variables behind, takes arguments, and ends alone', async () => {
  const files = { 'C:\\set up.bat': 'rem sets X\nset X=%1 of %0\nexit /b 0\nset X=too late' };
  expect((await run('call "C:\\set up.bat" one && set X', files)).output).toBe('X=one of C:\\set up.bat\r\n');
});

it('runs a stand-in only where its program is a file, by path or in the PATH, and waits for one that is started', async () => {
  const standIns: StandIns = { cl: ({ args, out }) => (out(args.join('|')), 0) };
  expect(await run('cl /nologo "a b.c"', {}, standIns)).toMatchObject({ code: 9009 });
  const files = { 'C:\\tools\\cl.exe': 'MZ', 'C:\\other.exe': 'MZ' };
  expect((await run('cl /nologo "a b.c"', files, standIns)).output).toBe('/nologo|a b.c\r\n');
  expect((await run('start "" /wait C:\\tools\\CL.EXE x', files, standIns)).output).toBe('x\r\n');
  expect(await run('other', files, standIns)).toMatchObject({
    code: 1,
    output: 'the model cannot run C:\\other.exe\r\n',
  });
});
