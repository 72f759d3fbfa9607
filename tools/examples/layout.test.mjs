import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { expect, it } from 'vitest';

import { formatSpec } from '../../packages/spec/src/index.ts';
import { root } from '../lib/paths.mjs';

const specs = globSync('examples/**/*.spec', { cwd: root });

it('there are examples', () => {
  expect(specs).toContain('examples/almanac/almanac.spec');
});

it.each(specs)('%s is laid out as `loam spec fmt` does it', (file) => {
  const text = readFileSync(path.join(root, file), 'utf8');
  expect(text).toBe(formatSpec(text));
});
