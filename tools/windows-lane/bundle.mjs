import path from 'node:path';

import { rolldown } from 'rolldown';

import { root } from '../lib/paths.mjs';
import { windowsPath } from './wine.mjs';

const vitestOnNode = path.join(root, 'tools/windows-lane/vitest-on-node.ts');

/**
 * Bundles test files into what Node on Windows can run: pnpm's links are no folders there, and 'vitest' becomes ours. Gives
 * what to run, by source file.
 */
export async function bundleTests(files, outputFolder) {
  const bundle = await rolldown({
    cwd: root,
    input: Object.fromEntries(files.map((file) => [file.replaceAll(/[^\w.-]/g, '_').replace(/\.ts$/, ''), file])),
    platform: 'node',
    // Native; the lane lays the one for Windows beside the tests.
    external: ['koffi'],
    logLevel: 'silent',
    // As in vitest.config.ts.
    resolve: { alias: { 'fast-check': path.join(root, 'tools/lib/fixed-examples.mjs') } },
    plugins: [
      {
        name: 'vitest-on-node',
        resolveId: (id, importer) => (id === 'vitest' && importer !== vitestOnNode ? vitestOnNode : undefined),
      },
      {
        // Files beside a source are found where the source is, not where the bundle lies.
        name: 'source-url',
        transform: (code, id) =>
          id.startsWith(root) && !id.includes('node_modules') && code.includes('import.meta.')
            ? code
                .replaceAll('import.meta.url', JSON.stringify(windowsUrl(id)))
                .replaceAll('import.meta.dirname', JSON.stringify(windowsPath(path.dirname(id))))
            : undefined,
      },
    ],
  });
  const { output } = await bundle.write({
    dir: outputFolder,
    format: 'esm',
    entryFileNames: '[name].mjs',
    chunkFileNames: 'chunks/[name]-[hash].mjs',
  });
  await bundle.close();
  const entries = output.filter((chunk) => chunk.isEntry && chunk.facadeModuleId !== null);
  return new Map(
    entries.map(({ facadeModuleId, fileName }) => [
      path.relative(root, facadeModuleId),
      path.join(outputFolder, fileName),
    ]),
  );
}

/** A file's URL in programs under Wine. */
export function windowsUrl(file) {
  return `file:///${windowsPath(file).replaceAll('\\', '/')}`;
}
