import { readFileSync } from 'node:fs';

import { Ajv } from 'ajv';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { buildWindowsSpec, windowsEnvironment, windowsUser, type WindowsSpecInput } from './windows-spec.ts';

const schema = JSON.parse(
  readFileSync(new URL('./testdata/runtime-spec-1.1.0-windows.schema.json', import.meta.url), 'utf8'),
) as object;
const isSpec = new Ajv({ allErrors: true, strictRequired: false }).compile(schema);

const plain: WindowsSpecInput = {
  argv: ['cmd', '/S', '/C', 'echo hi'],
  cwd: 'C:\\',
  env: [],
  user: { kind: 'name', name: 'ContainerAdministrator' },
  hostname: 'builder',
  isolation: 'process',
  networkNamespace: undefined,
  limits: {},
  mounts: [],
  hostProcessors: 8,
};
const everything: WindowsSpecInput = {
  ...plain,
  argv: ['powershell', '-Command', 'Get-Item "C:\\Program Files"'],
  cwd: 'C:\\src',
  env: [
    ['Path', 'C:\\Windows'],
    ['A', '1'],
    ['PATH', 'C:\\tools;C:\\Windows'],
  ],
  user: { kind: 'name', name: 'ContainerUser' },
  isolation: 'hyperv',
  networkNamespace: '0d5e3b0a-6c5a-4f0e-8f0e-2b7c1a9d4e11',
  limits: { cpus: 1.5, memoryBytes: 512 << 20 },
  mounts: [
    { source: 'D:\\agent\\caches\\x\\0', target: 'C:/cache', readonly: false },
    { source: 'D:\\agent\\secrets\\y\\0', target: 'C:\\run\\secret', readonly: true },
  ],
};

interface Spec {
  process: { args?: string[]; commandLine?: string; env: string[]; cwd: string };
  windows: { resources: { cpu?: object; memory?: { limit: number } }; network?: object };
  mounts: { type: string; options: string[] }[];
}
const build = (input: Partial<WindowsSpecInput>): Spec => buildWindowsSpec({ ...plain, ...input }) as Spec;

describe('buildWindowsSpec', () => {
  it('golden: a plain step', async () => {
    await expect(JSON.stringify(buildWindowsSpec(plain), undefined, 2)).toMatchFileSnapshot('testdata/plain.spec.json');
  });

  it('golden: a step with everything', async () => {
    await expect(JSON.stringify(buildWindowsSpec(everything), undefined, 2)).toMatchFileSnapshot(
      'testdata/everything.spec.json',
    );
  });

  it('rule 4, §11.2 #19: has no layerFolders, and nothing else that a schema of its own would refuse', () => {
    for (const input of [plain, everything]) {
      expect(isSpec(buildWindowsSpec(input)), JSON.stringify(isSpec.errors)).toBe(true);
    }
    const withLayers = { ...build({}), windows: { layerFolders: ['a', 'b'] } };
    expect(isSpec(withLayers)).toBe(false);
  });

  it('rule 10, §11.2 #18: has annotations although empty, and mounts of type "" with ro or rw', () => {
    expect(buildWindowsSpec(plain)).toHaveProperty('annotations', {});
    expect(build(everything).mounts.map(({ type, options }) => [type, ...options])).toEqual([
      ['', 'rw'],
      ['', 'ro'],
    ]);
  });

  it('has no network unless it is given a namespace', () => {
    expect(build({}).windows.network).toBeUndefined();
    expect(build(everything).windows.network).toHaveProperty('networkNamespace', everything.networkNamespace);
  });

  it('§11.2 #20: limits processors by whole ones or by a share of the host, never both, and memory', () => {
    const cpu = (input: Partial<WindowsSpecInput>): object | undefined => build(input).windows.resources.cpu;
    expect(cpu({ limits: { cpus: 2 } })).toEqual({ count: 2 });
    expect(cpu({ limits: { cpus: 100 } })).toEqual({ count: 8 });
    expect(cpu({ limits: { cpus: 1.5 } })).toEqual({ maximum: 1875 });
    expect(cpu({ limits: { cpus: 0.0001 } })).toEqual({ maximum: 1 });
    expect(cpu({ limits: { cpus: 1.5 }, isolation: 'hyperv' })).toEqual({ count: 2 });
    expect(build({ limits: { memoryBytes: 1 << 30 } }).windows.resources.memory).toEqual({ limit: 1 << 30 });
    expect(build({ isolation: 'hyperv' }).windows.resources).toEqual({ cpu: { count: 2 }, memory: { limit: 2 ** 32 } });
  });

  it('whatever it is given, it is a valid specification', () => {
    const name = fc.stringMatching(/^[A-Za-z_(][A-Za-z0-9_()]*$/);
    const path = fc.stringMatching(/^C:\\[a-z\\ ]*$/);
    const input = fc.record({
      argv: fc.array(
        fc.string().filter((text) => !/[\r\n]/.test(text)),
        { minLength: 1 },
      ),
      cwd: path,
      env: fc.array(fc.tuple(name, fc.string())),
      user: fc.record({ kind: fc.constant('name' as const), name: fc.constantFrom('ContainerUser', 'builder') }),
      hostname: fc.string(),
      isolation: fc.constantFrom('process' as const, 'hyperv' as const),
      networkNamespace: fc.option(fc.uuid(), { nil: undefined }),
      limits: fc.record(
        { cpus: fc.double({ min: 0.001, max: 512, noNaN: true }), memoryBytes: fc.integer({ min: 1 }) },
        { requiredKeys: [] },
      ),
      mounts: fc.array(fc.record({ source: path, target: path, readonly: fc.boolean() })),
      hostProcessors: fc.integer({ min: 1, max: 256 }),
    });
    fc.assert(
      fc.property(input, (given) => {
        expect(isSpec(buildWindowsSpec(given)), JSON.stringify(isSpec.errors)).toBe(true);
      }),
    );
  });
});

describe('the command', () => {
  it.each([
    ['a plain one', ['cmd', '/S', '/C', 'echo hi'], 'cmd /S /C "echo hi"'],
    ['quotes stay as they are', ['cmd', '/S', '/C', 'type "a b" & echo "c"'], 'cmd /S /C "type "a b" & echo "c""'],
    ['cmd by its path', ['C:\\Windows\\System32\\cmd.exe', '/C', 'ver'], 'C:\\Windows\\System32\\cmd.exe /C "ver"'],
    ['a path with spaces', ['C:\\my tools\\CMD.EXE', '/s', '/c', 'ver'], '"C:\\my tools\\CMD.EXE" /s /c "ver"'],
    ['several arguments', ['cmd', '/C', 'echo', 'a', 'b'], 'cmd /C "echo a b"'],
    ['a final newline', ['cmd', '/S', '/C', 'ver\r\n'], 'cmd /S /C "ver"'],
  ])('for cmd is one line between two quotes: %s', (_, argv, expected) => {
    expect(build({ argv }).process).toMatchObject({ commandLine: expected });
    expect(build({ argv }).process.args).toBeUndefined();
  });

  it.each([[['powershell', '-Command', 'x "y"']], [['cmd']], [['cmd', '/?']], [['C:\\cmder\\tool', '/C', 'x']]])(
    'of any other program is left to the shim to quote: %j',
    (argv) => {
      expect(build({ argv }).process.args).toEqual(argv);
      expect(build({ argv }).process.commandLine).toBeUndefined();
    },
  );

  it('for cmd is refused when cmd would run a part of it', () => {
    expect(() => build({ argv: ['cmd', '/S', '/C', 'a\nb'] })).toThrow('first line');
    expect(() => build({ argv: ['cmd', '/S', '/C', 'x'.repeat(9000)] })).toThrow('cmd takes 8191');
  });
});

describe('the environment', () => {
  it('vectors (10) Path: has a name once, whatever its case, and the last one wins', () => {
    expect(build(everything).process.env).toEqual(['A=1', 'PATH=C:\\tools;C:\\Windows']);
  });

  it('an empty value takes the variable away, as Windows has it', () => {
    const env = [
      ['A', '1'],
      ['B', '2'],
      ['a', ''],
      ['C', ''],
    ] as const;
    expect(windowsEnvironment(env)).toEqual(['B=2']);
  });
});

describe('the user', () => {
  it.each(['ContainerAdministrator', 'ContainerUser', 'NT AUTHORITY\\SYSTEM', 'builder'])('%s goes by name', (name) => {
    expect(windowsUser({ kind: 'name', name })).toEqual({ username: name });
  });

  it.each([
    { kind: 'id', uid: 1000, gid: 1000 },
    { kind: 'id', uid: 0, gid: 0 },
    { kind: 'name', name: '1000:1000' },
    { kind: 'name', name: '0' },
  ] as const)('§11.2 #17, vectors (10) unix user: a Unix user is refused: %j', (user) => {
    expect(() => windowsUser(user)).toThrow(expect.objectContaining({ code: 'backend.unix-user' }));
  });
});
