import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Runs a program of the host to its end. Throws when it fails, with what it said. */
export type HostCommand = (program: string, args: readonly string[]) => Promise<void>;

const timeoutMs = 30_000;

/** Every external helper has a time limit, and dies at it (reference §11.1). */
export const runHostCommand: HostCommand = async (program, args) => {
  await promisify(execFile)(program, [...args], { timeout: timeoutMs, killSignal: 'SIGKILL', windowsHide: true });
};
