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

/** How long a test waits for what is to happen: on a busy machine that takes long, and where it happens nobody waits in vain. */
const poll = { timeout: 10_000 };

/**
 * Two projects, and one more on Windows. `unit` needs nothing but Node; `integration` (*.it.test.ts) starts real Postgres, Redis,
 * containerd and Chromium, so its files run one at a time on small machines.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{apps,packages}/*/src/**/*.test.{ts,tsx}', 'tools/**/*.test.{ts,mjs}'],
          exclude: ['**/*.it.test.{ts,tsx}', '**/node_modules/**'],
          testTimeout: 20_000,
          expect: { poll },
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
          testTimeout: 60_000,
          hookTimeout: 120_000,
          expect: { poll },
          fileParallelism: false,
        },
      },
      ...(process.platform === 'win32' ? [windowsOnly] : []),
    ],
  },
});
