import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { root } from './paths.mjs';
import { run, say } from './run.mjs';

const pnpmVersion = '12.21.0';
const stamp = path.join(root, 'node_modules', '.loam-install');

function lockDigest() {
  const hash = createHash('sha256');
  for (const name of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json'])
    hash.update(readFileSync(path.join(root, name)));
  return hash.digest('hex');
}

/** Installs the workspace when it is missing or older than its lock file, telling `log`. Needs Node 20, npm and the npm registry. */
export async function ensureWorkspace(log = say) {
  const digest = lockDigest();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return;
  log('Installing the workspace from npm …');
  const install = ['--yes', `pnpm@${pnpmVersion}`, 'install', '--frozen-lockfile'];
  const { code, output } = await run('npx', install, { quiet: true, env: { CI: 'true' } });
  if (code !== 0) {
    process.stderr.write(output);
    throw new Error('The workspace could not be installed (see above). It needs npm and the npm registry.');
  }
  writeFileSync(stamp, digest);
}
