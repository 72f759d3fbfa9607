import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';

import { expect, it } from 'vitest';

import { baseImageName } from '../../examples/self/base-image.mjs';
import { secretIds } from '../../examples/self/registry-settings.mjs';
import { root } from '../lib/paths.mjs';

const file = path.join(root, 'examples/self/self.spec');
const spec = readFileSync(file, 'utf8');

it('the spec that builds Loam itself is right, apart from a base image that is made on the spot', () => {
  const check = spawnSync(process.execPath, [path.join(root, 'apps/cli/src/main.ts'), 'spec', 'check', file], {
    encoding: 'utf8',
  });
  expect(check.stdout + check.stderr).toMatch(/0 errors, 1 warning/);
  expect(check.stdout + check.stderr).toContain('[lint.unpinned-base]');
  expect(check.status).toBe(0);
});

it('it stands on the image, and asks for the secrets, that run.mjs makes', () => {
  expect(spec).toContain(`(from ${baseImageName})`);
  const [, secrets = ''] = /\(secrets ([^]*?)\)\n +\(shell/.exec(spec) ?? [];
  const asked = [...secrets.matchAll(/\(([a-z]+) \(target/g)].map(([, id]) => id);
  expect(asked).toEqual(secretIds);
});

it('it fetches with the pnpm that installs the workspace later, without a network', () => {
  const bootstrap = readFileSync(path.join(root, 'tools/lib/bootstrap.mjs'), 'utf8');
  const [, version] = /pnpmVersion = '([^']+)'/.exec(bootstrap) ?? [];
  expect(spec).toContain(`pnpm@${version} fetch`);
});
