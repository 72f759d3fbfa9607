import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { workspaceEnv, workspaceNode } from '../lib/node.mjs';
import { root } from '../lib/paths.mjs';
import { run, say } from '../lib/run.mjs';

/**
 * In namespaces of its own: `usr` lies over /usr, for this command and what it starts alone, and nothing that it starts or
 * mounts outlives it. The shell stays as the first process, to reap what others leave.
 */
const enter = 'usr=$1; shift; mount -t overlay containerd-version -o "ro,lowerdir=$usr:/usr" /usr; "$@"';

/**
 * Runs files of tests with what is in `usr` in the place of this system's; gives vitest's exit code, and what was run.
 * `signal` kills them all: unshare would not hand on a gentler signal.
 */
export async function runOn(usr, files, signal) {
  const unshare = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', 'sh', '-ec', enter, 'sh', usr];
  const asked = await run('unshare', [...unshare, 'sh', '-ec', 'containerd --version; runc --version'], {
    quiet: true,
  });
  if (asked.code !== 0)
    throw new Error(`Its programs do not run here (root is needed, and overlayfs):\n${asked.output}`);
  const versions = describe(asked.output);
  say(`${files.length} files of tests on ${versions}`);
  const tests = [workspaceNode(), 'node_modules/vitest/vitest.mjs', 'run', '--project', 'integration', ...files];
  const options = { cwd: root, env: workspaceEnv(), stdio: 'inherit', signal, killSignal: 'SIGKILL' };
  const [code] = await once(spawn('unshare', [...unshare, ...tests], options), 'close');
  return { code, versions };
}

/** `containerd github.com/containerd/containerd 1.7.24~ds1 …` and `runc version 1.1.15+ds1`, in short. */
function describe(output) {
  const containerd = /^containerd \S+ (\S+)/m.exec(output)?.[1];
  const runc = /^runc version (\S+)/m.exec(output)?.[1];
  return `containerd ${containerd}, runc ${runc}`;
}
