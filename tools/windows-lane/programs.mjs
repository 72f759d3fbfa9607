import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { run } from '../lib/run.mjs';
import { windowsPath } from './wine.mjs';

const source = (name) => fileURLToPath(new URL(`stub/${name}`, import.meta.url));

/** Builds our small Windows programs with mingw-w64. Gives the environment that tells the tests where they are. */
export async function buildPrograms(folder) {
  const bin = path.join(folder, 'bin');
  mkdirSync(bin);
  const library = path.join(bin, 'computenetwork.dll');
  const showArguments = path.join(bin, 'show-arguments.exe');
  await Promise.all([
    compile(['-shared', '-o', library, source('computenetwork.c'), source('computenetwork.def'), '-lole32']),
    compile(['-municode', '-o', showArguments, source('show-arguments.c')]),
  ]);
  return { LOAM_LANE_HCN: windowsPath(library), LOAM_LANE_SHOW_ARGUMENTS: windowsPath(showArguments) };
}

async function compile(args) {
  const { code, output } = await run('x86_64-w64-mingw32-gcc', ['-O1', '-Wall', '-Wextra', '-Werror', ...args], {
    quiet: true,
  });
  if (code !== 0) throw new Error(`x86_64-w64-mingw32-gcc failed:\n${output}`);
}
