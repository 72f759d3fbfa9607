import { runShell } from '@loam/backend/memory';
import type { RunRequest, SnapshotName } from '@loam/backend';

import { CommitLimitError, volumePath, type ProgramContext } from './program.ts';

/**
 * `sh -c SCRIPT`, by the shell of the in-memory double: an sh.exe such as busybox-w32's, for the conformance suites, whose
 * scripts are for sh. Paths are POSIX, on the one drive.
 */
export async function posixShell(context: ProgramContext): Promise<number> {
  const exit = await runShell({
    request: request(context),
    owner: { uid: 0, gid: 0, name: context.user },
    clock: context.clock,
    signal: context.signal,
    output: context.output,
    stdin: async () => {
      const parts: Uint8Array[] = [];
      for await (const part of context.stdin()) parts.push(part);
      return Buffer.concat(parts).toString();
    },
    at: (path) => context.at(path),
  });
  if (exit.kind === 'out-of-memory') throw new CommitLimitError();
  return exit.kind === 'exited' ? exit.code : 1;
}

/** The shell reads only what is set here. */
function request(context: ProgramContext): RunRequest {
  const lease = { id: '', release: () => Promise.resolve() };
  return {
    label: '',
    platform: { os: 'windows', architecture: 'amd64' },
    working: { key: '', parent: '' as SnapshotName, purpose: 'run', lease },
    argv: context.argv,
    workdir: `/${volumePath(context.cwd)}`,
    env: [...context.env],
    user: { kind: 'name', name: context.user },
    mounts: [],
    secrets: [],
    network: context.hasNetwork ? 'nat' : 'none',
    hostname: context.hostname,
    limits: context.memoryLimitBytes === undefined ? {} : { memoryBytes: context.memoryLimitBytes },
  };
}
