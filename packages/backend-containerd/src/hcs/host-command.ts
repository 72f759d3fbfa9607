import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { LoamError } from '@loam/base';

/** Runs a program of the host to its end. Throws `backend.host-command-failed` when it fails; what it said is internal. */
export type HostCommand = (program: string, args: readonly string[]) => Promise<void>;

const timeoutMs = 30_000;

/**
 * A program of Windows itself, by its full path: one of that name in the working directory would be found first. Every
 * external helper has a time limit, and dies at it (reference §11.1).
 */
export const runHostCommand: HostCommand = async (program, args) => {
  const name = program.endsWith('.exe') ? program : `${program}.exe`;
  const path = join(process.env['SystemRoot'] ?? 'C:\\Windows', 'System32', name);
  try {
    await promisify(execFile)(path, [...args], { timeout: timeoutMs, killSignal: 'SIGKILL', windowsHide: true });
  } catch (error) {
    const { code, killed, stderr = '' } = error as { code?: number | string; killed?: boolean; stderr?: string };
    const reason = killed === true ? `it did not end within ${timeoutMs / 1000} s` : `it ended with ${code}`;
    const internal = `${(error as Error).message} ${stderr}`.trim();
    throw LoamError.of('backend.host-command-failed', { program: name, reason }, { cause: error, internal });
  }
};
