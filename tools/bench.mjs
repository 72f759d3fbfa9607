// npm run bench [-- NAME… [--OPTION…]]: runs bench/NAME.ts with the options; each prints its result. Without a name those that record theirs in
// bench/results/.
import { readdirSync } from 'node:fs';
import path from 'node:path';

import { ensureWorkspace } from './lib/bootstrap.mjs';
import { ensurePrograms } from './lib/debian.mjs';
import { workspaceNode } from './lib/node.mjs';
import { root } from './lib/paths.mjs';
import { run, say } from './lib/run.mjs';

const recorded = ['steps'];

try {
  await ensureWorkspace();
  const missing = await ensurePrograms(['containerd', 'runc', 'busybox', 'mount']);
  if (missing.length > 0)
    throw new Error(`The benchmarks need these Debian packages: apt-get install ${missing.join(' ')}`);
  const all = readdirSync(path.join(root, 'bench'))
    .filter((name) => name.endsWith('.ts'))
    .map((name) => name.slice(0, -3));
  const given = process.argv.slice(2);
  const firstOption = given.findIndex((argument) => argument.startsWith('--'));
  const asked = firstOption === -1 ? given : given.slice(0, firstOption);
  const options = firstOption === -1 ? [] : given.slice(firstOption);
  for (const name of asked.length > 0 ? asked : recorded) {
    if (!all.includes(name)) throw new Error(`There is no benchmark "${name}". There are: ${all.join(', ')}`);
    say(`bench/${name}`);
    const { code } = await run(workspaceNode(), [`bench/${name}.ts`, ...options]);
    if (code !== 0) process.exitCode = code;
  }
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
