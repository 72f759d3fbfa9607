import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { expect, it, onTestFinished } from 'vitest';

import { workspaceNode } from './node.mjs';
import { root } from './paths.mjs';

it('a run that is told to end says what of it had failed and what hung', async () => {
  const folder = mkdtempSync(path.join(root, 'node_modules', '.cache', 'unfinished-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(
    path.join(folder, 'some.test.mjs'),
    `import { writeFileSync } from 'node:fs';
     import { expect, it } from 'vitest';
     it('is well', () => {});
     it('is wrong', () => expect('one').toBe('two'));
     it('hangs', () => new Promise(() => setTimeout(() => console.log('it hangs'), 1_000)));`,
  );
  const reporters = ['default', path.join(import.meta.dirname, 'unfinished-tests.mjs')];
  writeFileSync(
    path.join(folder, 'vitest.config.mjs'),
    `export default { test: { reporters: ${JSON.stringify(reporters)} } };`,
  );
  const run = spawn(workspaceNode(), ['node_modules/vitest/vitest.mjs', 'run', '--root', folder], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void run.kill('SIGKILL'));
  let output = '';
  run.stdout.setEncoding('utf8').on('data', (text) => {
    output += text;
    if (output.includes('it hangs')) run.kill('SIGTERM');
  });
  expect(await once(run, 'close')).toEqual([1, null]);
  expect(output).toMatch(
    /Files of tests that have not:\nsome\.test\.mjs, for \d+ s\n {2}failed: is wrong: expected 'one' to be 'two'.*\n {2}runs for \d+ s: hangs\n/,
  );
  expect(output).not.toContain('is well');
});
