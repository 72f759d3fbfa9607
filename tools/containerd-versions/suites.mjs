import { globSync } from 'node:fs';

import { root } from '../lib/paths.mjs';

/** Tests that start a containerd, directly or within an agent or a farm. */
const suites = [
  'apps/agent/src/*.it.test.ts',
  'apps/agent/src/commands/*.it.test.ts',
  'apps/agent/src/farm/*.it.test.ts',
  'packages/backend-containerd/src/*.it.test.ts',
  'packages/backend-containerd/src/runc/*.it.test.ts',
  'packages/containerd/src/**/*.it.test.ts',
  'packages/testkit/src/containerd-server.it.test.ts',
  'tools/farm/farm.it.test.ts',
];

/** Their files whose names have one of the parts; all without any. */
export function containerdSuites(parts) {
  const files = suites.flatMap((pattern) => globSync(pattern, { cwd: root })).toSorted();
  const chosen = files.filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)));
  if (chosen.length === 0) throw new Error(`No file of tests with containerd has a name like ${parts.join(' or ')}.`);
  return chosen;
}
