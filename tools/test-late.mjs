// npm run test:late: the tests on a machine where things come late (tools/late/late.mjs) and containerd collects garbage after every
// change. What fails here fails by chance elsewhere. Arguments go to vitest: npm run test:late -- packages/engine
import path from 'node:path';
import { pathToFileURL } from 'node:url';

import { ensureWorkspace } from './lib/bootstrap.mjs';
import { workspaceNode } from './lib/node.mjs';
import { root } from './lib/paths.mjs';
import { run } from './lib/run.mjs';
import { ensureWeb } from './lib/web.mjs';

try {
  await ensureWorkspace();
  await ensureWeb();
  const late = pathToFileURL(path.join(root, 'tools/late/late.mjs')).href;
  const env = { NODE_OPTIONS: `--import ${late}`, LOAM_TEST_EAGER_GC: '1' };
  const { code } = await run(workspaceNode(), ['node_modules/vitest/vitest.mjs', 'run', ...process.argv.slice(2)], {
    env,
  });
  process.exitCode = code;
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
