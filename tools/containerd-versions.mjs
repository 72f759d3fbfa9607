// npm run test:containerd-versions: what meets containerd, on that of newer Debian releases (docs/containerd-versions.md).
// Arguments are names of releases and parts of the names of test files.
import { releases, unpackRelease } from './containerd-versions/release.mjs';
import { runOn } from './containerd-versions/run-on.mjs';
import { containerdSuites } from './containerd-versions/suites.mjs';
import { ensureWorkspace } from './lib/bootstrap.mjs';
import { ensurePrograms } from './lib/debian.mjs';
import { say } from './lib/run.mjs';

try {
  await ensureWorkspace();
  const missing = await ensurePrograms([
    'containerd',
    'runc',
    'busybox',
    'docker-registry',
    'ip',
    'iptables',
    'host-local',
  ]);
  if (missing.length > 0) throw new Error(`This needs these Debian packages: apt-get install ${missing.join(' ')}`);
  const isRelease = (word) => releases.includes(word);
  const words = process.argv.slice(2);
  const named = words.filter(isRelease);
  const files = containerdSuites(words.filter((word) => !isRelease(word)));
  const verdicts = [];
  for (const release of named.length > 0 ? named : releases) {
    const root = await unpackRelease(release);
    try {
      const { code, versions } = await runOn(root.usr, files);
      verdicts.push({ code, text: `${code === 0 ? 'ok    ' : 'FAILED'}  Debian ${release}: ${versions}` });
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
