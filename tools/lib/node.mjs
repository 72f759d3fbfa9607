import { existsSync } from 'node:fs';
import path from 'node:path';

import { root } from './paths.mjs';

/**
 * The Node that runs the sources: the one that the workspace brings from npm, or, where none exists for this platform,
 * this very process when it is new enough to run TypeScript unbuilt (22.18).
 */
export function workspaceNode() {
  const brought = path.join(root, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node');
  if (existsSync(brought)) return brought;
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 18)) return process.execPath;
  throw new Error(
    `Loam needs Node 22.18 or newer here: npm has no Node 24 for ${process.platform}-${process.arch} that it could bring itself. This is ${process.version}.`,
  );
}

/**
 * Environment of our programs: little memory, and Node keeps what it has compiled beside the workspace. The programs ask for such a cache themselves, but
 * only this one serves their first file, too, and spares them the type stripper.
 */
export function programEnv() {
  const cache = path.join(root, 'node_modules', '.cache', 'node-compile');
  // glibc keeps an arena for each thread that ever copied a file; two are enough. Pieces of a file (64 KiB and more) get pages
  // of their own, which go back when they are freed: between longer-lived objects they would leave holes that stay.
  const memory = { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '65536' };
  return { NODE_COMPILE_CACHE: cache, ...memory, ...process.env };
}

/** Environment in which the workspace's own tools are found first. */
export function workspaceEnv(extra = {}) {
  const bin = path.join(root, 'node_modules', '.bin');
  return { ...programEnv(), PATH: `${bin}${path.delimiter}${process.env.PATH ?? ''}`, ...extra };
}
