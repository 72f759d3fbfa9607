import { fileURLToPath } from 'node:url';

import { defineConfig } from 'vitest/config';

/** Real containerd on a real Windows host: there is nothing to run it on anywhere else (docs/windows-lane.md). */
const windowsOnly = {
  test: {
    name: 'windows',
    include: ['packages/*/src/**/*.windows.it.test.ts'],
    testTimeout: 300_000,
    hookTimeout: 900_000,
    fileParallelism: false,
  },
};

/**
 * How long a test may take, and waits for what is to happen: ends of patience for what hangs, and no measure of anything. Beside
 * four busy processes the checksum of 2 GiB took 55 s and a run of dependency-cruiser 18, ten times what they take alone.
 */
const patience = { testTimeout: 300_000, hookTimeout: 300_000, expect: { poll: { timeout: 120_000 } } };
/** The compiler that can keep a process from ending (see main.ts of the agent), which vitest's workers end by themselves, too. */
const execArgv = ['--no-maglev'];
const alias = { 'fast-check': fileURLToPath(new URL('tools/lib/fixed-examples.mjs', import.meta.url)) };

/**
 * Two projects, and one more on Windows. `unit` needs nothing but Node; `integration` (*.it.test.ts) starts real Postgres, Redis,
 * containerd and Chromium, so its files run one at a time on small machines.
 */
export default defineConfig({
  test: {
    reporters: ['default', './tools/lib/unfinished-tests.mjs'],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{apps,packages}/*/src/**/*.test.{ts,tsx}', 'tools/**/*.test.{ts,mjs}'],
          exclude: ['**/*.it.test.{ts,tsx}', '**/node_modules/**'],
          ...patience,
          execArgv,
          alias,
        },
      },
      {
        test: {
          name: 'integration',
          include: [
            '{apps,packages}/*/src/**/*.it.test.{ts,tsx}',
            'apps/web/e2e/**/*.it.test.ts',
            'tools/**/*.it.test.ts',
          ],
          exclude: ['**/*.windows.it.test.ts', '**/node_modules/**'],
          ...patience,
          execArgv,
          alias,
          fileParallelism: false,
        },
      },
      ...(process.platform === 'win32' ? [windowsOnly] : []),
    ],
  },
});
