// npm run dev: the farm of `npm start` without its sample, the API restarting on change, and the web UI with hot replacement.
import { ensureWorkspace } from './lib/bootstrap.mjs';
import { ensurePrograms } from './lib/debian.mjs';
import { workspaceNode } from './lib/node.mjs';
import { run } from './lib/run.mjs';
import { ensureWeb } from './lib/web.mjs';

try {
  await ensureWorkspace();
  const missing = await ensurePrograms(['containerd', 'runc', 'busybox', 'mount']);
  const noAgent = missing.length > 0 || process.getuid?.() !== 0 ? ['--no-agent'] : [];
  await ensureWeb();
  const { code } = await run(workspaceNode(), ['tools/farm/start.ts', '--dev', ...noAgent, ...process.argv.slice(2)]);
  process.exitCode = code;
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
