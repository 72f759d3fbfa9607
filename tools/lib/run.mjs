import { spawn } from 'node:child_process';

import { workspaceEnv } from './node.mjs';
import { root } from './paths.mjs';

/** Runs a command, in the root unless told, with the terminal passed through; gives its exit code (1 when a signal ended it). */
export function run(command, args, { env, quiet = false, cwd = root } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: workspaceEnv(env),
      stdio: quiet ? ['ignore', 'pipe', 'pipe'] : 'inherit',
    });
    const output = [];
    child.stdout?.on('data', (chunk) => output.push(chunk));
    child.stderr?.on('data', (chunk) => output.push(chunk));
    child.on('error', reject);
    child.on('close', (code, signal) =>
      resolve({ code: code ?? (signal ? 1 : 0), output: Buffer.concat(output).toString() }),
    );
    if (!quiet) forwardSignals(child);
  });
}

/** Ctrl-C and SIGTERM go to the child, which ends in order; the parent ends with it. */
function forwardSignals(child) {
  const pass = (signal) => child.kill(signal);
  // A terminal already sends Ctrl-C to the whole group; the parent only has to outlive the child.
  const ignore = () => {};
  process.on('SIGINT', ignore);
  process.on('SIGTERM', pass);
  child.on('close', () => {
    process.off('SIGINT', ignore);
    process.off('SIGTERM', pass);
  });
}

/** One line of progress, with the seconds since the start of the process. */
export function say(text) {
  const seconds = (performance.now() / 1000).toFixed(1).padStart(6);
  process.stdout.write(`${seconds}s  ${text}\n`);
}
