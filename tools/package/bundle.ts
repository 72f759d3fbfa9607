import { readFileSync } from 'node:fs';
import path from 'node:path';

import { rolldown } from 'rolldown';

import { root } from '../lib/paths.mjs';
import { packageFolder } from './licenses.ts';
import { nodeVersion } from './platforms.ts';

/** The agent and all that it imports. */
export interface AgentBundle {
  readonly script: string;
  /** Folders of the npm packages in it. */
  readonly packages: readonly string[];
}

/** The version that apps/agent/package.json gives. */
export function agentVersion(): string {
  const text = readFileSync(path.join(root, 'apps/agent/package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/**
 * Makes apps/agent and all that it imports one CommonJS script, the only form that Node 22 takes into a single executable.
 * Nothing is left to be read from beside it. The same sources give the same bytes.
 */
export async function bundleAgent(): Promise<AgentBundle> {
  const bundle = await rolldown({
    cwd: root,
    input: 'apps/agent/src/main.ts',
    platform: 'node',
    // ws tries these two, and goes on without them.
    external: ['bufferutil', 'utf-8-validate'],
    resolve: { alias: { koffi: path.join(root, 'tools/package/embedded/koffi.ts') } },
    transform: {
      target: `node${nodeVersion}`,
      define: { LOAM_AGENT_VERSION: JSON.stringify(agentVersion()) },
    },
    onLog(level, log) {
      // What cannot be resolved would fail on the host, not here.
      if (level !== 'info' && log.code !== 'EVAL') throw new Error(`${log.code ?? 'rolldown'}: ${log.message}`);
    },
  });
  try {
    const { output } = await bundle.generate({ format: 'cjs', codeSplitting: false, exports: 'none' });
    const [chunk, ...others] = output;
    if (others.length > 0)
      throw new Error(`the bundle is more than one file: ${others.map((each) => each.fileName).join(', ')}`);
    const folders = chunk.moduleIds.map(packageFolder).filter((folder) => folder !== undefined);
    return { script: chunk.code, packages: [...new Set(folders)].toSorted() };
  } finally {
    await bundle.close();
  }
}
