// npm run test:containerd-versions: what meets containerd, on that of newer Debian releases. tools/containerd-versions/versions.mjs has the arguments.
import { ensureWorkspace } from './lib/bootstrap.mjs';
import { ensurePrograms } from './lib/debian.mjs';
import { workspaceNode } from './lib/node.mjs';
import { run } from './lib/run.mjs';

const needed = ['containerd', 'runc', 'busybox', 'docker-registry', 'mount', 'ip', 'iptables', 'host-local'];

try {
  await ensureWorkspace();
  const missing = await ensurePrograms(needed);
  if (missing.length > 0) throw new Error(`This needs these Debian packages: apt-get install ${missing.join(' ')}`);
  const { code } = await run(workspaceNode(), ['tools/containerd-versions/versions.mjs', ...process.argv.slice(2)]);
  process.exitCode = code;
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
