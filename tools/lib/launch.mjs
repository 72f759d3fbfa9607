import { spawn } from 'node:child_process';
import path from 'node:path';

import { ensureWorkspace } from './bootstrap.mjs';
import { programEnv, workspaceNode } from './node.mjs';
import { root } from './paths.mjs';

/** Runs one of the project's programs, from whichever folder the user stands in, and ends with its exit code. */
export async function launch(program) {
  try {
    // Standard output is the program's own: it may be parsed.
    await ensureWorkspace((text) => process.stderr.write(`${text}\n`));
    const child = spawn(workspaceNode(), [path.join(root, program), ...process.argv.slice(2)], {
      stdio: 'inherit',
      env: programEnv(),
    });
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
      process.on(signal, () => {
        // A terminal has sent Ctrl-C to the whole group already; a second one would mean something else to the child.
        if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
      });
    }
    child.on('error', fail);
    child.on('close', (code, signal) => {
      process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 143);
    });
  } catch (error) {
    fail(error);
  }
}

function fail(error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
