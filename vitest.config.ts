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
 * How long a test waits for what is to happen, and how long it may take: ends of patience for what hangs, and no measure of anything.
 * With four busy processes to each processor, what takes two seconds takes twenty; where it happens nobody waits in vain.
 */
const unit = { testTimeout: 120_000, hookTimeout: 120_000, expect: { poll: { timeout: 60_000 } } };
const integration = { testTimeout: 300_000, hookTimeout: 300_000, expect: { poll: { timeout: 120_000 } } };

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
          ...unit,
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
          ...integration,
          fileParallelism: false,
        },
      },
      ...(process.platform === 'win32' ? [windowsOnly] : []),
    ],
  },
});
