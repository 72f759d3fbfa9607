import { readdir } from 'node:fs/promises';

import { defineCheck, ok, warning, type Verdict } from '../check.ts';
import { list } from './leaks.ts';

/**
 * A layer that Windows would not let go of stays as `rm-<id>` for ever: the snapshotter only logs it (reference §3.2, §10 #15).
 * Nothing but containerd may delete there, so this is shown and left to the operator.
 */
export const leftoverLayers = defineCheck<{ directory: string; names: readonly string[] }>({
  id: 'leaks.layers',
  title: 'Left-over layers',
  only: 'windows',
  async gather(host) {
    const directory = await host.snapshotDirectory();
    return { directory, names: (await readdir(directory)).filter((name) => name.startsWith('rm-')) };
  },
  judge: ({ directory, names }) => judgeLeftoverLayers(directory, names),
});

export function judgeLeftoverLayers(directory: string, names: readonly string[]): Verdict {
  if (names.length === 0) return ok(`There is no rm-* in ${directory}.`, 'Removed snapshots have freed their disk.');
  return warning(
    `${names.length} in ${directory}: ${list(names)}.`,
    'They take disk, and containerd does not try again by itself.',
    "Exclude containerd's root from antivirus. A restart of the host lets go of the disks; then, with agent and containerd stopped and `hcsdiag list` empty, remove these directories.",
  );
}
