// npm run package [-- windows-x64 linux-x64] [--if-stale]: the agent as one file for each platform, in dist/agent.
// Plain JavaScript for Node 20 up to here; tools/package/package.ts goes on with Node 24.
import { ensureWorkspace } from './lib/bootstrap.mjs';
import { workspaceNode } from './lib/node.mjs';
import { run } from './lib/run.mjs';

try {
  await ensureWorkspace();
  const { code } = await run(workspaceNode(), ['tools/package/package.ts', ...process.argv.slice(2)]);
  process.exitCode = code;
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
