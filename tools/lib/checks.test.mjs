import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { root } from './paths.mjs';

// A check that nobody has seen fail proves nothing. Each is run on a small tree with one planted fault.
let tree;

beforeAll(async () => {
  tree = await mkdtemp(path.join(os.tmpdir(), 'loam-checks-'));
  for (const name of ['.dependency-cruiser.cjs', '.oxlintrc.json', '.oxfmtrc.json', 'tsconfig.base.json']) {
    await cp(path.join(root, name), path.join(tree, name));
  }
  await symlink(path.join(root, 'node_modules'), path.join(tree, 'node_modules'));
  await writeFile(path.join(tree, 'package.json'), '{ "name": "planted", "private": true, "type": "module" }\n');
});
afterAll(() => rm(tree, { recursive: true, force: true }));

async function plant(files) {
  for (const folder of ['apps', 'packages']) {
    await rm(path.join(tree, folder), { recursive: true, force: true });
    await mkdir(path.join(tree, folder), { recursive: true });
  }
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(tree, name)), { recursive: true });
    await writeFile(path.join(tree, name), text);
  }
}

function check(command, args) {
  return new Promise((resolve) => {
    execFile(path.join(root, 'node_modules/.bin', command), args, { cwd: tree }, (error, stdout, stderr) =>
      resolve({ failed: error !== null, output: stdout + stderr }),
    );
  });
}

const cruise = () => check('depcruise', ['--config', '.dependency-cruiser.cjs', 'apps', 'packages']);

describe('the import-direction check', () => {
  it('passes a tree whose arrows point down', async () => {
    await plant({
      'packages/base/src/index.ts': 'export const one = 1;\n',
      'packages/engine/src/index.ts': "export { one } from '../../base/src/index.ts';\n",
    });
    expect(await cruise()).toMatchObject({ failed: false });
  });

  it.each([
    ['packages/base', 'packages/spec', 'packages-base-imports-down'],
    ['packages/spec', 'packages/base', 'packages-spec-imports-down'],
    ['packages/contracts', 'packages/db', 'packages-contracts-imports-down'],
    ['packages/context', 'packages/engine', 'packages-context-imports-down'],
    ['packages/backend', 'packages/backend-containerd', 'packages-backend-imports-down'],
    ['packages/engine', 'packages/containerd', 'packages-engine-imports-down'],
    ['packages/containerd', 'packages/backend', 'packages-containerd-imports-down'],
    ['packages/containerd-model', 'packages/backend-containerd', 'packages-containerd-model-imports-down'],
    ['packages/backend-containerd', 'packages/containerd-model', 'containerd-model-is-for-tests'],
    ['packages/backend-containerd', 'packages/engine', 'packages-backend-containerd-imports-down'],
    ['packages/db', 'packages/contracts', 'packages-db-imports-down'],
    ['packages/queue', 'packages/db', 'packages-queue-imports-down'],
    ['packages/logs', 'packages/db', 'packages-logs-imports-down'],
    ['packages/files', 'packages/base', 'packages-files-imports-down'],
    ['packages/testkit', 'packages/db', 'packages-testkit-imports-down'],
    ['packages/spec', 'apps/web', 'no-app-from-a-package'],
    ['apps/api', 'packages/engine', 'apps-api-imports-down'],
    ['apps/web', 'packages/db', 'apps-web-imports-down'],
    ['apps/agent', 'packages/queue', 'apps-agent-imports-down'],
    ['apps/cli', 'packages/engine', 'apps-cli-imports-down'],
    ['apps/api', 'packages/testkit', 'testkit-is-for-tests'],
  ])('catches %s importing %s', async (from, to, rule) => {
    await plant({
      [`${to}/src/index.ts`]: 'export const one = 1;\n',
      [`${from}/src/planted.ts`]: `export { one } from '../../../${to}/src/index.ts';\n`,
    });
    const { failed, output } = await cruise();
    expect(output).toContain(rule);
    expect(failed).toBe(true);
  });

  it('catches node in a browser-safe room, and a cycle', async () => {
    await plant({
      'packages/spec/src/a.ts': "import fs from 'node:fs';\nexport { two } from './b.ts';\nexport const one = fs;\n",
      'packages/spec/src/b.ts': "import { one } from './a.ts';\nexport const two = one;\n",
    });
    const { failed, output } = await cruise();
    expect(failed).toBe(true);
    expect(output).toContain('browser-safe-rooms-know-no-node');
    expect(output).toContain('no-cycles');
  });
});

describe('the other checks', () => {
  it('types: a wrong type fails', async () => {
    await plant({
      'packages/base/src/index.ts': "export const one: number = 'one';\n",
      'packages/base/tsconfig.json': '{ "extends": "../../tsconfig.base.json", "include": ["src"] }\n',
    });
    expect(
      await check('tsc', ['-p', 'packages/base', '--noEmit', '--composite', 'false', '--emitDeclarationOnly', 'false']),
    ).toMatchObject({
      failed: true,
      output: expect.stringContaining('TS2322'),
    });
  });

  it('lint: a floating promise fails', async () => {
    await plant({
      'packages/base/src/index.ts': 'export function start(work: () => Promise<void>): void {\n  work();\n}\n',
      'packages/base/tsconfig.json': '{ "extends": "../../tsconfig.base.json", "include": ["src"] }\n',
    });
    expect(await check('oxlint', ['--type-aware', '--deny-warnings', 'packages'])).toMatchObject({
      failed: true,
      output: expect.stringContaining('no-floating-promises'),
    });
  });

  it('format: a double-quoted string fails', async () => {
    await plant({ 'packages/base/src/index.ts': 'export const one = "one"\n' });
    expect(await check('oxfmt', ['--check', 'packages'])).toMatchObject({
      failed: true,
      output: expect.stringContaining('index.ts'),
    });
  });

  it('dead code: an unused file and an unused export fail', async () => {
    await plant({
      'packages/base/src/index.ts': "import { one } from './used.ts';\nconsole.log(one);\n",
      'packages/base/src/used.ts': 'export const one = 1;\nexport const unused = 2;\n',
      'packages/base/src/nobody.ts': 'export const three = 3;\n',
    });
    await writeFile(
      path.join(tree, 'knip.json'),
      '{ "entry": ["packages/base/src/index.ts"], "project": ["packages/**/*.ts"] }\n',
    );
    const { failed, output } = await check('knip', []);
    expect(failed).toBe(true);
    expect(output).toContain('nobody.ts');
    expect(output).toContain('unused');
  });
});
