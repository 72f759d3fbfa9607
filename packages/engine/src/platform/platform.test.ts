import { FileTree } from '@loam/backend/memory';
import { parseSpec } from '@loam/spec';
import { describe, expect, it } from 'vitest';

import { makeWorld } from '../test-world.ts';
import { linuxRules } from './linux.ts';
import { windowsRules } from './windows.ts';

describe('paths on Linux', () => {
  it('are joined to the working directory unless absolute, and cleaned', () => {
    const cases = [
      ['/', 'a', '/a'],
      ['/a', 'b/../c/', '/a/c'],
      ['/a', '/x//y/.', '/x/y'],
      ['/a', '../../..', '/'],
      ['/a', '', '/a'],
      ['/', '//x', '/x'],
      ['/a', 'C:\\x', '/a/C:\\x'],
    ] as const;
    for (const [workdir, path, expected] of cases) expect(linuxRules.absolute(workdir, path)).toBe(expected);
  });

  it('are directories for a copy only when they end in "/"', () => {
    expect(linuxRules.destination('/w', 'x/')).toEqual({ path: '/w/x', isDirectory: true });
    expect(linuxRules.destination('/w', '/x')).toEqual({ path: '/x', isDirectory: false });
    expect(linuxRules.destination('/w', 'x\\')).toEqual({ path: '/w/x\\', isDirectory: false });
    expect(linuxRules.treePath('/usr/lib')).toBe('usr/lib');
  });
});

describe('paths on Windows', () => {
  it('vectors (10) workdir: get the drive of the working directory, and back slashes', () => {
    const cases = [
      ['C:\\', 'a', 'C:\\a'],
      ['C:\\a', 'b/c/', 'C:\\a\\b\\c'],
      ['C:\\a', '/x', 'C:\\x'],
      ['D:\\a', '\\x\\y', 'D:\\x\\y'],
      ['C:\\a', 'd:/x/../y', 'D:\\y'],
      ['C:\\a', 'c:b', 'C:\\a\\b'],
      ['C:\\a', 'd:b', 'D:\\b'],
      ['C:\\a', '..\\..\\..', 'C:\\'],
      ['C:\\a', 'C:\\', 'C:\\'],
      ['C:\\', '', 'C:\\'],
    ] as const;
    for (const [workdir, path, expected] of cases) expect(windowsRules.absolute(workdir, path)).toBe(expected);
  });

  it('vectors (10) out: are directories for a copy when they end in either slash, and lie in the tree without drive', () => {
    expect(windowsRules.destination('C:\\w', 'C:\\out\\')).toEqual({ path: 'C:\\out', isDirectory: true });
    expect(windowsRules.destination('C:\\w', 'out/')).toEqual({ path: 'C:\\w\\out', isDirectory: true });
    expect(windowsRules.destination('C:\\w', 'out')).toEqual({ path: 'C:\\w\\out', isDirectory: false });
    expect(windowsRules.treePath('C:\\Program Files\\x')).toBe('Program Files/x');
    expect(windowsRules.treePath('C:\\')).toBe('');
    expect(['C:\\x', 'c:\\x', 'D:\\x', 'x'].map((path) => windowsRules.otherDrive(path))).toEqual([
      undefined,
      undefined,
      'D:',
      undefined,
    ]);
  });
});

it('a Windows build takes shell, user, paths and environment by the rules of Windows', async () => {
  const base = new FileTree();
  base.makeDirectories('bin');
  base.writeFile('bin/cmd', 'cmd');
  base.writeFile('etc-passwd', '');
  base.makeDirectories('etc');
  base.writeFile('etc/passwd', 'ContainerAdministrator:x:93:93::/:\n');
  const world = makeWorld({
    base,
    platform: { os: 'windows', architecture: 'amd64', osVersion: '10.0.20348.2700' },
    config: { env: [['Path', 'C:\\Windows']] },
    program: () => Promise.resolve({ kind: 'exited', code: 0 }),
  });
  const ops =
    '(workdir /src) (env PATH /bin) (copy (src f) (dst "C:\\\\out\\\\")) (run (cache (nuget (target /cache))) (shell build))';
  const { outcome, end } = await world.build(`((from base) ${ops})`, { files: { f: 'x' } });
  if (outcome.kind !== 'succeeded') throw new Error(JSON.stringify(outcome));
  expect(end('1')?.record).toMatchObject({
    destination: 'C:\\out/',
    user: { kind: 'name', name: 'ContainerAdministrator' },
  });
  expect(end('2')?.record).toMatchObject({
    platform: 'windows/amd64:10.0.20348.2700',
    shell: ['cmd', '/S', '/C'],
    workdir: 'C:\\src',
    env: [['PATH', '/bin']],
    caches: [{ id: 'nuget', target: 'C:\\cache' }],
  });
  expect(await world.text(outcome.snapshot, 'out/f')).toBe('x');
});

describe('a copy to a drive that a container has not', () => {
  const windows = { os: 'windows', architecture: 'amd64', osVersion: '10.0.20348.2700' } as const;
  const world = (config: object = {}) => makeWorld({ base: new FileTree(), platform: windows, config });

  it.each([
    '(copy (src f) (dst "D:\\\\out\\\\"))',
    '(copy (src f) (dst d:/out/))',
    '(workdir "E:\\\\src") (copy (src f) (dst out/))',
  ])('is refused in a plan and in a build, before anything is fetched: %s', async (ops) => {
    const { engine, build, fetcher } = world();
    const { spec } = parseSpec(`((from base) ${ops})`);
    if (!spec) throw new Error('no spec');
    await expect(engine.plan(spec, {})).rejects.toMatchObject({ code: 'engine.copy-drive' });
    const { outcome } = await build(`((from base) ${ops})`, { files: { f: 'x' } });
    expect(outcome).toMatchObject({ kind: 'failed', position: '1', error: { code: 'engine.copy-drive' } });
    expect(await fetcher.list(windows)).toEqual([]);
  });

  it('that only the image asks for is refused in the build', async () => {
    const { outcome } = await world({ workdir: 'D:\\src' }).build('((from base) (copy (src f) (dst out/)))', {
      files: { f: 'x' },
    });
    expect(outcome).toMatchObject({ kind: 'failed', position: '1', error: { code: 'engine.copy-drive' } });
  });
});

it('a copy from a build names its sources as Windows does', async () => {
  const windows = { os: 'windows', architecture: 'amd64', osVersion: '10.0.20348.2700' } as const;
  const base = new FileTree();
  base.makeDirectories('tools/bin');
  base.writeFile('tools/bin/cc.exe', 'MZ');
  base.makeDirectories('etc');
  base.writeFile('etc/passwd', 'ContainerAdministrator:x:93:93::/:\n');
  const copy = (source: string) =>
    makeWorld({ base, platform: windows }).build(
      `((build b ((from base))) (from base) (copy (from (build b)) (src "${source}") (dst "C:\\\\out\\\\")))`,
    );
  for (const source of ['tools/bin/cc.exe', '\\\\tools\\\\bin\\\\cc.exe', 'C:\\\\tools\\\\bin', 'c:/tools']) {
    expect((await copy(source)).outcome, source).toMatchObject({ kind: 'succeeded' });
  }
  for (const source of ['D:\\\\tools', 'tools\\\\..\\\\tools']) {
    expect((await copy(source)).outcome).toMatchObject({ error: { code: 'engine.copy-source-invalid' } });
  }
});
