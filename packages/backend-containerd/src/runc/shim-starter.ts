import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/**
 * containerd runs a program for every task to learn where its shim listens, also when tasks share a shim: runc's, 11 MB of it,
 * is then loaded only to say what is known. This program says it, and leaves everything else to runc's own. It may: `start` can
 * "return an address to an existing shim" (containerd's runtime/v2/README.md, as the arguments and the working directory,
 * which is the bundle). What was said for the task before lies in its bundle: up to 1.7 the shim keeps it in `address`, and the
 * next bundle needs it too, for when the daemon is started again; from 2.0 the daemon keeps it in `bootstrap.json`, in a form
 * that it also takes as the answer (core/runtime/v2/shim.go, parseStartResponse). Where neither is, runc's program is asked as
 * ever.
 */
const program = `#!/bin/sh
for argument; do
  [ "$previous" = -id ] && id=$argument
  previous=$argument
done
if [ "$previous" = start ]; then
  {
    read -r predecessor <"\${0%/*}/$id" && before=../$predecessor &&
      if [ -e "$before/address" ]; then
        { read -r answer <"$before/address" || [ -n "$answer" ]; } && printf %s "$answer" >address
      else
        read -r answer <"$before/bootstrap.json" || [ -n "$answer" ]
      fi
  } 2>/dev/null && printf %s "$answer" && exit
fi
exec containerd-shim-runc-v2 "$@"
`;

/** Saves starting a program for each task that takes over the shim of another. */
export interface ShimStarter {
  /** For containerd to run, as the name of a runtime. */
  readonly path: string;
  /** Before the task `id` is created: its shim is that of `predecessor`, a task that is there until then. */
  succeed(id: string, predecessor: string): Promise<void>;
  /** Once it has been created. */
  forget(id: string): Promise<void>;
}

/** Undefined where programs in that directory cannot be run, or runc's shim is not found: then containerd finds its own way. */
export async function createShimStarter(directory: string): Promise<ShimStarter | undefined> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, 'containerd-shim-runc-v2');
  await writeFile(path, program, { mode: 0o700 });
  try {
    await promisify(execFile)(path, ['-v']);
  } catch {
    return undefined;
  }
  return {
    path,
    succeed: (id, predecessor) => writeFile(join(directory, id), `${predecessor}\n`),
    forget: (id) => rm(join(directory, id), { force: true }),
  };
}
