// Runs what meets containerd on that of newer Debian releases (docs/containerd-versions.md).
// Arguments are names of releases, or --usr=FOLDER with programs from elsewhere, and parts of the names of test files.
import path from 'node:path';

import { say } from '../lib/run.mjs';
import { releases, unpackRelease } from './release.mjs';
import { runOn } from './run-on.mjs';
import { containerdSuites } from './suites.mjs';

const folderOption = '--usr=';

async function runVersions(words) {
  const isPlace = (word) => releases.includes(word) || word.startsWith(folderOption);
  const places = words.filter(isPlace);
  const files = containerdSuites(words.filter((word) => !isPlace(word)));
  const verdicts = [];
  const killed = new AbortController();
  process.on('SIGTERM', () => killed.abort());
  // The terminal tells the tests themselves.
  let isInterrupted = false;
  process.on('SIGINT', () => (isInterrupted = true));
  for (const place of places.length > 0 ? places : releases) {
    if (isInterrupted) return false;
    const root = await rootOf(place);
    try {
      const { code, versions } = await runOn(root.usr, files, killed.signal);
      verdicts.push({ code, text: `${code === 0 ? 'ok    ' : 'FAILED'}  ${versions} (${place})` });
    } finally {
      root.remove();
    }
  }
  for (const { text } of verdicts) say(text);
  return verdicts.every(({ code }) => code === 0);
}

/** What is to lie over /usr. */
async function rootOf(place) {
  if (!place.startsWith(folderOption)) return await unpackRelease(place);
  return { usr: path.resolve(place.slice(folderOption.length)), remove: () => undefined };
}

try {
  process.exitCode = (await runVersions(process.argv.slice(2))) ? 0 : 1;
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
