// npm start [-- [--once] [--no-agent]]: installs what is missing, starts the farm, builds the sample through it.
// Plain JavaScript for Node 20 up to here; tools/farm/start.ts goes on with Node 24.
import { parseArgs } from 'node:util';

import { ensureWorkspace } from './lib/bootstrap.mjs';
import { ensurePrograms } from './lib/debian.mjs';
import { workspaceNode } from './lib/node.mjs';
import { run, say } from './lib/run.mjs';
import { ensureWeb } from './lib/web.mjs';

const usage = `npm start [-- [--once] [--no-agent]]

  --once      end after the sample build, with its exit code
  --no-agent  only the control plane

Settings come from the environment, as docs/operating.md lists them: LOAM_DATA, LOAM_LISTEN and others.
`;

try {
  const { values: options } = parseArgs({
    options: { once: { type: 'boolean' }, 'no-agent': { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  });
  if (options.help) {
    process.stdout.write(usage);
    process.exit();
  }
} catch (error) {
  process.stderr.write(`${error.message}\n\n${usage}`);
  process.exit(2);
}

try {
  await ensureWorkspace();
  const missing = await ensurePrograms(['containerd', 'runc', 'busybox', 'mount']);
  const isNew = await ensureWeb();
  // The first process that meets new sources keeps the type stripper in memory as long as it lives: better one that ends.
  if (isNew) await run(workspaceNode(), ['apps/api/src/main.ts', '--help'], { quiet: true });
  if (missing.length > 0) {
    say(`No local agent: this host lacks ${missing.join(', ')}. As root: apt-get install ${missing.join(' ')}`);
  }
  const withAgent = missing.length === 0 && process.getuid?.() === 0;
  if (missing.length === 0 && !withAgent)
    say('No local agent: containers need root. The control plane starts all the same.');
  const { code } = await run(workspaceNode(), [
    'tools/farm/start.ts',
    ...(withAgent ? [] : ['--no-agent']),
    ...process.argv.slice(2),
  ]);
  process.exitCode = code;
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
