import { execFile } from 'node:child_process';
import { delimiter } from 'node:path';

import type { CommandOutput } from './doctor-host.ts';

const timeoutMs = 30_000;
const outputMax = 4 * 1024 * 1024;
/** Services are mostly started with a path that lacks these. */
const systemDirectories = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** Every external helper has a time limit, and dies at it (reference §11.1). Rejects when it cannot be started or is late. */
export function runProgram(
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<CommandOutput> {
  const path =
    process.platform === 'win32' ? {} : { PATH: [process.env['PATH'], ...systemDirectories].join(delimiter) };
  const options = {
    timeout: timeoutMs,
    killSignal: 'SIGKILL' as const,
    windowsHide: true,
    maxBuffer: outputMax,
    env: { ...process.env, ...path, LC_ALL: 'C', ...environment },
  };
  return new Promise((resolve, reject) => {
    execFile(program, [...args], options, (error, stdout, stderr) => {
      if (error === null) resolve({ code: 0, stdout, stderr });
      else if (typeof error.code === 'number') resolve({ code: error.code, stdout, stderr });
      else if (error.killed === true) reject(new Error(`${program} did not end within ${timeoutMs / 1000} s`));
      else reject(error);
    });
  });
}
