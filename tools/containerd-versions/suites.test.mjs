import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { expect, it } from 'vitest';

import { root } from '../lib/paths.mjs';
import { containerdSuites } from './suites.mjs';

it('have every test that starts a containerd', () => {
  const files = globSync('{apps,packages}/*/src/**/*.it.test.ts', { cwd: root });
  const starting = files.filter((file) =>
    /await startContainerd\(|\bstartContainerd\(\),|new TestInstall\(/.test(
      readFileSync(path.join(root, file), 'utf8'),
    ),
  );
  expect(starting.length).toBeGreaterThan(5);
  expect(starting.filter((file) => !containerdSuites([]).includes(file))).toEqual([]);
});

it('can be asked for by parts of their names', () => {
  expect(containerdSuites(['farm.it', 'containerd-server'])).toEqual([
    'packages/testkit/src/containerd-server.it.test.ts',
    'tools/farm/farm.it.test.ts',
  ]);
  expect(() => containerdSuites(['no such test'])).toThrow('no such test');
});
