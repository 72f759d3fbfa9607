import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import path from 'node:path';

import { expect, it } from 'vitest';

import { root } from '../lib/paths.mjs';

it('all examples are laid out as `loam spec fmt` does it', () => {
  const specs = globSync('examples/**/*.spec', { cwd: root });
  expect(specs).toContain('examples/almanac/almanac.spec');
  const check = spawnSync(
    process.execPath,
    [path.join(root, 'apps/cli/src/main.ts'), 'spec', 'fmt', '--check', ...specs],
    { cwd: root, encoding: 'utf8' },
  );
  expect(check.stdout + check.stderr).toBe('');
  expect(check.status).toBe(0);
});
