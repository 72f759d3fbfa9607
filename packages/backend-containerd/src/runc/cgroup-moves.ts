import { execFile } from 'node:child_process';
import { mkdir, open, rmdir } from 'node:fs/promises';
import { promisify } from 'node:util';

import { mountPoints } from './host-mount.ts';

const run = promisify(execFile);

/** The cgroup hierarchy's name. It has no controllers, and no process is ever moved in it. */
export const hierarchyName = 'loam';

/**
 * Makes the kernel favour moves between cgroups for as long as the result has not been called. Each container is moved into
 * its own; otherwise the first move of each waits some 8 ms for all processors (Linux 6.18, 2 processors). The price is that
 * forks and exits take a little longer, on the whole host. The option is one of mounting a hierarchy, so an empty one of
 * ours is mounted and at once taken out of the file system: only this process holds it, and it goes when this process does.
 *
 * `directory` is made and removed. Does nothing where the kernel does not know the option (before 6.0) or this is not root.
 * Source: kernel admin-guide/cgroup-v2.rst, `favordynmods`; cgroups(7), "named hierarchies".
 */
export async function favourCgroupMoves(directory: string): Promise<() => Promise<void>> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    // Of a process that was killed between the two calls.
    if ((await mountPoints()).includes(directory)) await run('umount', ['--lazy', directory]);
    await run('mount', ['-t', 'cgroup', '-o', `none,name=${hierarchyName},favordynmods`, hierarchyName, directory]);
    const held = await open(directory);
    await run('umount', ['--lazy', directory]);
    return () => held.close();
  } catch {
    return () => Promise.resolve();
  } finally {
    await rmdir(directory).catch(() => undefined);
  }
}
