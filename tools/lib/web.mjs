import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { root } from './paths.mjs';
import { run, say } from './run.mjs';

const sources = ['apps/web', 'packages/contracts', 'packages/spec', 'packages/base'];

function* files(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (['node_modules', 'dist', 'testdata', 'e2e'].includes(entry.name)) continue;
    const full = path.join(folder, entry.name);
    if (entry.isDirectory()) yield* files(full);
    else if (!entry.name.endsWith('.test.ts')) yield full;
  }
}

/** Builds the web UI when its sources changed since the last build; gives whether it did. */
export async function ensureWeb() {
  const hash = createHash('sha256');
  for (const folder of sources)
    for (const file of files(path.join(root, folder))) hash.update(file).update(readFileSync(file));
  const digest = hash.digest('hex');
  const stamp = path.join(root, 'apps/web/dist/.loam-build');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return false;
  say('Building the web UI …');
  const { code, output } = await run('npm', ['run', '--silent', 'build', '--prefix', 'apps/web'], { quiet: true });
  if (code !== 0) {
    process.stderr.write(output);
    throw new Error('The web UI could not be built (see above).');
  }
  writeFileSync(stamp, digest);
  return true;
}
