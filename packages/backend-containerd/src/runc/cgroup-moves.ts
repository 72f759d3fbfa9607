import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, open, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { mountPoints } from './host-mount.ts';

const run = promisify(execFile);

/** The cgroup hierarchy's name. It has no controllers, and no process is ever moved in it. */
export const hierarchyName = 'loam';

/**
 * Makes the kernel favour moves between cgroups until the result is called. Each container is moved into its own; otherwise
 * the first move of each waits some milliseconds for all processors. The price is that forks and exits take a little longer,
 * on the whole host. The option is one of mounting a hierarchy, so an empty one of ours is mounted below `parent` and at once
 * taken out of the file system: only this process holds it, and it goes when this process does.
 *
 * Does nothing where the kernel does not know the option (before 6.0) or this is not root.
 * Source: kernel admin-guide/cgroup-v2.rst, `favordynmods`; cgroups(7), "named hierarchies".
 */
export async function favourCgroupMoves(parent = '/run'): Promise<() => Promise<void>> {
  const prefix = join(parent, 'loam-cgroup-');
  let directory: string | undefined;
  try {
    await removeStale(prefix);
    directory = await mkdtemp(`${prefix}${process.pid}-`);
    await run('mount', ['-t', 'cgroup', '-o', `none,name=${hierarchyName},favordynmods`, hierarchyName, directory]);
    const held = await open(directory);
    await run('umount', ['--lazy', directory]);
    return () => held.close();
  } catch {
    return () => Promise.resolve();
  } finally {
    if (directory !== undefined) await rmdir(directory).catch(() => undefined);
  }
}

/** What a process left that was killed between the two calls. */
async function removeStale(prefix: string): Promise<void> {
  for (const point of await mountPoints()) {
    const pid = point.startsWith(prefix) ? point.slice(prefix.length).split('-')[0] : undefined;
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    await run('umount', ['--lazy', point]);
    await rmdir(point);
  }
}
