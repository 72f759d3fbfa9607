import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { afterEach, describe, expect, it } from 'vitest';

import { openExample, type ExampleImage, type ExampleWorld } from '../testing/example-world.ts';

// The examples for Windows from end to end, on a model of Windows containerd and with stand-ins for their tools. This shows
// what Loam would tell a Windows host to do, and nothing of what the host or the tools would make of it.
let world: ExampleWorld;
afterEach(async () => {
  const left = await world.leftovers();
  await world.close();
  expect(left).toEqual([]);
});

const nanoserver: ExampleImage = { name: 'mcr.microsoft.com/windows/nanoserver:ltsc2022', user: 'ContainerUser' };
const administrator = 'ContainerAdministrator';

async function edit(path: string): Promise<void> {
  const file = join(world.project, path);
  await writeFile(file, `${await readFile(file, 'utf8')}\r\n`);
}

/** What each `run` was given: command line, working directory, user, network. */
function commands(): (readonly [string, string, string, boolean])[] {
  return world.started.map(({ commandLine, cwd, user, hasNetwork }) => [commandLine, cwd, user, hasNetwork] as const);
}

/** Nothing runs again as long as nothing changes, and the plan says so beforehand. */
async function expectAllCached(snapshot: string): Promise<void> {
  const before = world.started.length;
  const plan = await world.plan();
  expect(plan.filter((line) => !line.endsWith(' hit'))).toEqual([]);
  const again = await world.build();
  expect(again).toMatchObject({ ran: [], snapshot });
  expect(world.started).toHaveLength(before);
}

describe('nanoserver', () => {
  it("copies a file, reads it as the image's own user and writes as administrator", async () => {
    world = await openExample('nanoserver/hello.spec', [nanoserver]);
    expect(world.complaints).toEqual(['lint.unpinned-base']);
    expect(await world.plan()).toEqual(['0 miss', '1 miss', '2 miss', '3 miss']);
    const built = await world.build();
    expect(commands()).toEqual([
      ['cmd /S /C "ver && type greeting.txt"', 'C:\\hello', 'ContainerUser', false],
      ['cmd /S /C "copy greeting.txt said.txt && type said.txt"', 'C:\\hello', administrator, false],
    ]);
    expect(world.textIn(built.snapshot, 'hello/said.txt')).toBe('Hello from a layer that no container wrote.\r\n');
    await expectAllCached(built.snapshot);
    await edit('greeting.txt');
    expect((await world.build()).ran).toEqual(['1', '2', '3']);
  });

  it('is built on a host of build 26100 (Server 2025), too', async () => {
    world = await openExample('nanoserver/hello.spec', [nanoserver], { hostBuild: 26100 });
    expect((await world.build()).log).toContain('Hello');
  });
});

describe('msvc', () => {
  const servercore: ExampleImage = {
    name: 'mcr.microsoft.com/windows/servercore:ltsc2022',
    programs: ['Windows/System32/curl.exe'],
    env: [['TEMP', 'C:\\TEMP']],
  };

  it('installs the tools once, builds library and program, and puts the program alone on Nano Server', async () => {
    world = await openExample('msvc/msvc.spec', [servercore, nanoserver]);
    expect(world.complaints).toEqual(['lint.unpinned-base', 'lint.unpinned-base']);
    const built = await world.build();
    const download = 'curl.exe --fail --silent --show-error --location --output C:\\TEMP\\';
    const vcvars = 'call C:\\BuildTools\\VC\\Auxiliary\\Build\\vcvarsall.bat amd64 -vcvars_ver=14.44 && cl /nologo ';
    expect(commands()).toEqual([
      [
        `cmd /S /C "${download}vs_buildtools.exe https://aka.ms/vs/17/release/vs_buildtools.exe && ` +
          `${download}VisualStudio.chman https://aka.ms/vs/17/release/channel"`,
        'C:\\',
        administrator,
        true,
      ],
      ['cmd /S /C "C:\\TEMP\\install-msvc.cmd"', 'C:\\', administrator, true],
      [
        `cmd /S /C "${vcvars}/c /std:c++17 /EHsc /O2 /MT /W4 /Folunar\\ lunar\\phase.cpp && lib /nologo /out:lunar.lib lunar\\phase.obj"`,
        'C:\\src',
        administrator,
        false,
      ],
      [
        `cmd /S /C "${vcvars}/std:c++17 /EHsc /O2 /MT /W4 /Ilunar /Foapp\\ app\\main.cpp lunar.lib /Fe:moon.exe"`,
        'C:\\src',
        administrator,
        false,
      ],
      ['cmd /S /C "moon.exe --self-test"', 'C:\\src', administrator, false],
      ['cmd /S /C "C:\\moon\\moon.exe 2026-11-24"', 'C:\\', 'ContainerUser', false],
    ]);
    expect(world.textIn(built.snapshot, 'moon/moon.exe')).toMatch(/^made of /);
    expect(world.textIn(built.snapshot, 'src/lunar/phase.cpp')).toBeUndefined();
    await expectAllCached(built.snapshot);
  });

  it('an edit of the program leaves tools and library alone; one of the library leaves the tools alone', async () => {
    world = await openExample('msvc/msvc.spec', [servercore, nanoserver]);
    await world.build();
    await edit('app/main.cpp');
    expect((await world.build()).ran).toEqual(['msvc/6', 'msvc/7', 'msvc/8', '1', '2']);
    await edit('lunar/phase.cpp');
    expect((await world.build()).ran).toEqual(['msvc/4', 'msvc/5', 'msvc/6', 'msvc/7', 'msvc/8', '1', '2']);
    await edit('README.md');
    expect((await world.build()).ran).toEqual([]);
  });

  it('has batch files that end their lines as cmd wants them', async () => {
    world = await openExample('msvc/msvc.spec', [servercore, nanoserver]);
    const script = await readFile(join(world.project, 'tools/install-msvc.cmd'), 'utf8');
    expect(script.replaceAll('\r\n', '')).not.toContain('\n');
  });
});

describe('dotnet', () => {
  const environment = [
    ['PATH', 'C:\\Windows\\System32;C:\\Program Files\\dotnet'],
    ['DOTNET_RUNNING_IN_CONTAINER', 'true'],
  ] as const;
  const images: ExampleImage[] = [
    {
      name: 'mcr.microsoft.com/dotnet/sdk:10.0.400-nanoserver-ltsc2022',
      programs: ['Program Files/dotnet/dotnet.exe'],
      env: environment,
      user: 'ContainerUser',
    },
    { name: 'mcr.microsoft.com/dotnet/runtime:10.0.11-nanoserver-ltsc2022', env: environment, user: 'ContainerUser' },
  ];

  it("restores with the network, publishes without it, and runs as the image's own user", async () => {
    world = await openExample('dotnet/count.spec', images);
    expect(world.complaints).toEqual(['lint.unpinned-base', 'lint.unpinned-base']);
    const built = await world.build();
    const publish = 'dotnet publish --no-restore --disable-build-servers --configuration Release --output C:\\app';
    expect(commands()).toEqual([
      ['cmd /S /C "dotnet restore --disable-build-servers"', 'C:\\src', administrator, true],
      [`cmd /S /C "${publish}"`, 'C:\\src', administrator, false],
      ['cmd /S /C "C:\\app\\count.exe 2026"', 'C:\\', 'ContainerUser', false],
    ]);
    expect(Object.fromEntries(world.started[0]?.env ?? [])).toMatchObject({
      DOTNET_CLI_TELEMETRY_OPTOUT: '1',
      DOTNET_RUNNING_IN_CONTAINER: 'true',
      NUGET_HTTP_CACHE_PATH: 'C:\\nuget-http-cache',
    });
    expect([...(world.started[2]?.env.keys() ?? [])]).not.toContain('NUGET_HTTP_CACHE_PATH');
    expect(world.textIn(built.snapshot, 'app/count.exe')).toMatch(/^made of /);
    await expectAllCached(built.snapshot);
    await edit('Program.cs');
    expect((await world.build()).ran).toEqual(['sdk/3', 'sdk/4', '1', '2']);
  });
});

describe('obuilder', () => {
  const image: ExampleImage = {
    name: 'docker.io/ocaml/opam:windows-server-msvc-ltsc2022-ocaml-5.4',
    programs: ['cygwin64/usr/local/bin/opam.exe'],
    env: [
      ['PATH', 'C:\\cygwin64\\usr\\local\\bin;C:\\Windows\\System32'],
      ['OPAMYES', '1'],
    ],
    user: administrator,
  };
  /** Files of a checkout, as far as the spec names them. */
  const checkout = {
    'obuilder.opam': 'opam-version: "2.0"',
    'obuilder-spec.opam': 'opam-version: "2.0"',
    'dune-project': '(lang dune 3.16)',
    'main.ml': 'let () = ()',
    '.git/HEAD': 'ref: refs/heads/master',
    '_build/log': 'of the host',
  };

  async function makeCheckout(directory: string): Promise<void> {
    for (const [path, text] of Object.entries(checkout)) {
      await mkdir(dirname(join(directory, path)), { recursive: true });
      await writeFile(join(directory, path), text);
    }
  }

  it('builds OBuilder as the article does: pin, dependencies with the network, then the sources', async () => {
    world = await openExample('obuilder/obuilder.spec', [image], { makeProject: makeCheckout });
    expect(world.complaints).toEqual(['lint.unpinned-base']);
    const built = await world.build();
    expect(commands()).toEqual([
      ['cmd /S /C "echo (lang dune 3.0)> dune-project"', 'C:\\src', administrator, false],
      ['cmd /S /C "opam pin add -yn ."', 'C:\\src', administrator, false],
      ['cmd /S /C "opam install --deps-only -t obuilder"', 'C:\\src', administrator, true],
      ['cmd /S /C "opam exec -- dune build @install @runtest"', 'C:\\src', administrator, false],
    ]);
    expect(world.started[2]?.env.get('OPAMYES')).toBe('1');
    expect(world.textIn(built.snapshot, 'src/_build/default/main.exe')).toMatch(/^made of /);
    expect(world.textIn(built.snapshot, 'src/dune-project')).toBe(checkout['dune-project']);
    for (const path of ['src/.git/HEAD', 'src/_build/log']) expect(world.textIn(built.snapshot, path)).toBeUndefined();
    await expectAllCached(built.snapshot);
  });

  it('an edit of a source does not install the dependencies again; one of an opam file does', async () => {
    world = await openExample('obuilder/obuilder.spec', [image], { makeProject: makeCheckout });
    await world.build();
    await edit('main.ml');
    expect((await world.build()).ran).toEqual(['5', '6']);
    await edit('obuilder.opam');
    expect((await world.build()).ran).toEqual(['1', '2', '3', '4', '5', '6']);
  });
});

it('no example is left out here', async () => {
  world = await openExample('nanoserver/hello.spec', [nanoserver]);
  const folders = await readdir(join(import.meta.dirname, '../../../../examples/windows'), { withFileTypes: true });
  const names = folders.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  expect(names.toSorted()).toEqual(['dotnet', 'msvc', 'nanoserver', 'obuilder']);
});
