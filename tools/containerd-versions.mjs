// npm run test:containerd-versions: what meets containerd, on that of newer Debian releases (docs/containerd-versions.md).
// Arguments are names of releases, or --usr=FOLDER with programs from elsewhere, and parts of the names of test files.
import path from 'node:path';

import { releases, unpackRelease } from './containerd-versions/release.mjs';
import { runOn } from './containerd-versions/run-on.mjs';
import { containerdSuites } from './containerd-versions/suites.mjs';
import { ensureWorkspace } from './lib/bootstrap.mjs';
import { ensurePrograms } from './lib/debian.mjs';
import { say } from './lib/run.mjs';

const needed = ['containerd', 'runc', 'busybox', 'docker-registry', 'mount', 'ip', 'iptables', 'host-local'];
const folderOption = '--usr=';

try {
  await ensureWorkspace();
  const missing = await ensurePrograms(needed);
  if (missing.length > 0) throw new Error(`This needs these Debian packages: apt-get install ${missing.join(' ')}`);
  const isPlace = (word) => releases.includes(word) || word.startsWith(folderOption);
  const words = process.argv.slice(2);
  const places = words.filter(isPlace);
  const files = containerdSuites(words.filter((word) => !isPlace(word)));
  const verdicts = [];
  for (const place of places.length > 0 ? places : releases) {
    const root = await rootOf(place);
    try {
      const { code, versions } = await runOn(root.usr, files);
      verdicts.push({ code, text: `${code === 0 ? 'ok    ' : 'FAILED'}  ${versions} (${place})` });
    } finally {
      root.remove();
    }
  }
  for (const { text } of verdicts) say(text);
  process.exitCode = verdicts.every(({ code }) => code === 0) ? 0 : 1;
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

/** What is to lie over /usr. */
async function rootOf(place) {
  if (!place.startsWith(folderOption)) return await unpackRelease(place);
  return { usr: path.resolve(place.slice(folderOption.length)), remove: () => undefined };
}
