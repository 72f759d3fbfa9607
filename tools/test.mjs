// npm test: everything, with what it needs. Arguments go to vitest: npm test -- packages/spec
import { ensureWorkspace } from './lib/bootstrap.mjs';
import { ensurePrograms } from './lib/debian.mjs';
import { workspaceNode } from './lib/node.mjs';
import { run } from './lib/run.mjs';
import { ensureWeb } from './lib/web.mjs';
import { runWindowsLane } from './lib/windows-lane.mjs';

try {
  await ensureWorkspace();
  const missing = await ensurePrograms([
    'containerd',
    'runc',
    'busybox',
    'redis-server',
    'docker-registry',
    'chromium',
    'mount',
    'ip',
    'iptables',
    'host-local',
    'shellcheck',
    'curl',
    'openssl',
    'systemctl',
  ]);
  if (missing.length > 0) throw new Error(`The tests need these Debian packages: apt-get install ${missing.join(' ')}`);
  await ensureWeb();
  let isToldToEnd = false;
  process.on('SIGTERM', () => (isToldToEnd = true));
  const { code } = await run(workspaceNode(), ['node_modules/vitest/vitest.mjs', 'run', ...process.argv.slice(2)]);
  // What was asked for by name is in vitest's part.
  const lane = process.argv.length > 2 || isToldToEnd ? undefined : await runWindowsLane();
  process.exitCode = code === 0 ? (lane ?? 0) : code;
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
