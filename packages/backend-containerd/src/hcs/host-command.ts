import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Runs a program of the host to its end. Throws when it fails, with what it said. */
export type HostCommand = (program: string, args: readonly string[]) => Promise<void>;

const timeoutMs = 30_000;

/**
 * A program of Windows itself, by its full path: one of that name in the working directory would be found first. Every
 * external helper has a time limit, and dies at it (reference §11.1).
 */
export const runHostCommand: HostCommand = async (program, args) => {
  const name = program.endsWith('.exe') ? program : `${program}.exe`;
  const path = join(process.env['SystemRoot'] ?? 'C:\\Windows', 'System32', name);
  await promisify(execFile)(path, [...args], { timeout: timeoutMs, killSignal: 'SIGKILL', windowsHide: true });
};
