import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root: string = fileURLToPath(new URL('../..', import.meta.url));

export interface Exit {
  /** The exit code; 1 when a signal ended it. */
  readonly code: number;
  /** In words: `exit code 1`, `SIGKILL`. */
  readonly how: string;
}

export interface ManagedProcess {
  readonly pid: number;
  /** Standard output, line by line, as it comes. */
  onLine(listener: (line: string) => void): void;
  /** Resolves when it has ended, however it did. */
  readonly ended: Promise<Exit>;
  /** SIGTERM, and SIGKILL when it has not ended after `graceMs`. */
  stop(graceMs?: number): Promise<void>;
}

export interface StartOptions {
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Where its standard error, and its standard output too, are appended. */
  readonly logFile: string;
  /** Lines of standard output that must not reach the log: they hold tokens. */
  readonly isSecret?: (line: string) => boolean;
  /** Node's own flags, such as `--watch`. */
  readonly nodeFlags?: readonly string[];
}

/** Starts one of the project's programs in a process group of its own, so that Ctrl-C reaches only the supervisor. */
export function startProgram(program: string, options: StartOptions): ManagedProcess {
  mkdirSync(path.dirname(options.logFile), { recursive: true });
  const log = createWriteStream(options.logFile, { flags: 'a' });
  const child: ChildProcess = spawn(
    process.execPath,
    [...(options.nodeFlags ?? []), path.join(root, program), ...options.args],
    {
      cwd: root,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    },
  );
  const listeners: ((line: string) => void)[] = [];
  let rest = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString('utf8')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (options.isSecret?.(line) !== true) log.write(`${line}\n`);
      for (const listener of listeners) listener(line);
    }
  });
  child.stderr?.pipe(log, { end: false });
  const ended = new Promise<Exit>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      log.end();
      resolve({ code: code ?? 1, how: signal ?? `exit code ${code}` });
    });
  });
  return {
    pid: child.pid ?? -1,
    onLine: (listener) => listeners.push(listener),
    ended,
    async stop(graceMs = 30_000) {
      child.kill('SIGTERM');
      const killer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      await ended;
      clearTimeout(killer);
    },
  };
}

/** Runs one of the project's programs with the terminal passed through; gives its exit code. */
export function runProgram(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<number> {
  const child = spawn(process.execPath, [path.join(root, program), ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: 'inherit',
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(code ?? (signal === null ? 0 : 1)));
  });
}
