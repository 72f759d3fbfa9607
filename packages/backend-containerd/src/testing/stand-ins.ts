import { createHash } from 'node:crypto';

import type { StandIn, StandInCall, StandIns } from '@loam/containerd-model';

/**
 * Programs of the model that play the tools of the examples: they check that what the real one needs is there (network,
 * sources, what an earlier step made), and write something where the real one writes. They are not those tools.
 */
export const exampleStandIns: StandIns = {
  curl: standInCurl,
  vs_buildtools: standInInstaller,
  cl: standInCompiler,
  lib: standInLibrarian,
  moon: standInProduct('C:\\src\\moon.exe', 'C:\\moon\\moon.exe'),
  dotnet: standInDotnet,
  count: standInProduct('C:\\app\\count.exe'),
  opam: standInOpam,
};

const compilers = 'C:\\BuildTools\\VC\\Tools\\MSVC\\14.44.1\\bin\\Hostx64\\x64';

function standInCurl(call: StandInCall): number {
  const output = option(call, '--output');
  if (!call.hasNetwork) return 6;
  call.write(output, `from ${call.args.at(-1)}`);
  return 0;
}

/** Writes what the examples use of an installation, and ends as an installer does that would like to restart. */
function standInInstaller(call: StandInCall): number {
  if (!call.hasNetwork) return 1603;
  call.read(option(call, '--channelUri'));
  const path = option(call, '--installPath');
  // As the real one does in quiet mode: no parameters are checked, and what is not named is not there.
  if (!call.args.includes('Microsoft.VisualStudio.Component.VC.14.44.17.14.x86.x64')) return 0;
  call.write(
    `${path}\\VC\\Auxiliary\\Build\\vcvarsall.bat`,
    `@echo off\r\nif not "%1"=="amd64" exit /b 1\r\nset PATH=${compilers};%PATH%\r\n`,
  );
  for (const program of ['cl', 'lib']) call.write(`${compilers}\\${program}.exe`, 'MZ');
  return 3010;
}

function standInCompiler(call: StandInCall): number {
  const inputs = call.args.filter((arg) => /\.(?:cpp|lib)$/.test(arg)).map((path) => call.read(path));
  for (const directory of ['app', 'lunar']) {
    if (call.args.includes(`/I${directory}`)) inputs.push(call.read(`${directory}\\phase.h`));
  }
  const program = prefixed(call, '/Fe:');
  const object = `${prefixed(call, '/Fo')}phase.obj`;
  call.write(call.args.includes('/c') ? object : program, `made of ${digest(inputs)}`);
  return 0;
}

function standInLibrarian(call: StandInCall): number {
  call.write(
    prefixed(call, '/out:'),
    digest(call.args.filter((arg) => arg.endsWith('.obj')).map((path) => call.read(path))),
  );
  return 0;
}

/** A program that an example built: runs only where it was put. */
function standInProduct(...places: string[]): StandIn {
  return (call) => {
    const found = places.flatMap((place) => {
      try {
        return [call.read(place)];
      } catch {
        return [];
      }
    });
    call.out(`${found[0]}, with ${call.args.join(' ')}`);
    return found[0]?.startsWith('made of ') ? 0 : 1;
  };
}

function standInDotnet(call: StandInCall): number {
  if (call.args[0] === 'restore') {
    if (!call.hasNetwork) return 1;
    call.write(`${call.variable('NUGET_HTTP_CACHE_PATH')}\\index.dat`, 'packages');
    call.write('obj\\project.assets.json', digest([call.read('count.csproj')]));
    return 0;
  }
  const made = digest([call.read('obj\\project.assets.json'), call.read('Program.cs')]);
  call.write(`${option(call, '--output')}\\count.exe`, `made of ${made}`);
  return 0;
}

function standInOpam(call: StandInCall): number {
  const command = call.args.join(' ');
  if (command.startsWith('pin add')) {
    call.write('C:\\opam\\pinned', digest([call.read('obuilder.opam'), call.read('dune-project')]));
    return 0;
  }
  if (command.startsWith('install --deps-only')) {
    if (!call.hasNetwork) return 40;
    call.write('C:\\opam\\installed', call.read('C:\\opam\\pinned'));
    return 0;
  }
  call.read('C:\\opam\\installed');
  call.write('_build\\default\\main.exe', `made of ${digest([call.read('main.ml')])}`);
  return 0;
}

function option(call: StandInCall, name: string): string {
  const value = call.args[call.args.indexOf(name) + 1];
  if (!call.args.includes(name) || value === undefined) throw new Error(`${name} is missing`);
  return value;
}

function prefixed(call: StandInCall, prefix: string): string {
  return call.args.find((arg) => arg.startsWith(prefix))?.slice(prefix.length) ?? '';
}

function digest(parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 16);
}
