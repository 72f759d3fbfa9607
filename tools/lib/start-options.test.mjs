import { spawnSync } from 'node:child_process';
import path from 'node:path';

import { expect, it } from 'vitest';

import { root } from './paths.mjs';

const start = (...options) =>
  spawnSync(process.execPath, [path.join(root, 'tools/start.mjs'), ...options], { encoding: 'utf8' });

it('npm start says what it takes, and starts nothing with what it does not know', () => {
  const help = start('--help');
  expect([help.status, help.stdout]).toEqual([0, expect.stringContaining('--once')]);
  const wrong = start('--onse');
  expect([wrong.status, wrong.stderr]).toEqual([2, expect.stringMatching(/'--onse'[^]*--once/)]);
  expect(wrong.stderr).not.toContain('    at ');
});
