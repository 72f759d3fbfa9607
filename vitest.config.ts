import { defineConfig } from 'vitest/config';

/**
 * Two projects. `unit` needs nothing but Node; `integration` (*.it.test.ts) starts real Postgres, Redis,
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
          testTimeout: 60_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
