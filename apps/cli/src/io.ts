import { buffer } from 'node:stream/consumers';

/** Everything by which a command touches its user, so that a test can stand in for a terminal. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdoutIsTerminal: boolean;
  readonly stdinIsTerminal: boolean;
  columns(): number;
  /** Writes to standard output; resolves when the reader can take more. */
  out(text: string | Uint8Array): Promise<void>;
  /** Writes to standard error. */
  err(text: string): void;
  /** All of standard input. */
  readStdin(): Promise<Uint8Array>;
  /** Calls back on Ctrl-C (and SIGTERM) instead of ending; the returned function restores the default. */
  onInterrupt(callback: () => void): () => void;
  /** What the process ends with when the reader of standard output goes away; 0 until it is set. */
  setExitCodeWithoutReader(code: number): void;
  /** Ends the process now, for a second Ctrl-C. */
  exit(code: number): void;
}

/**
 * The process's own. A reader that goes away (`loam logs … | head`) ends the program quietly.
 */
export function systemIo(): Io {
  let exitCodeWithoutReader = 0;
  process.stdout.on('error', (error: NodeJS.ErrnoException) =>
    process.exit(error.code === 'EPIPE' ? exitCodeWithoutReader : 1),
  );
  // With nobody to read messages the work goes on: `loam spec dockerfile FILE 2>&1 >Dockerfile | head -1`.
  process.stderr.on('error', () => undefined);
  return {
    env: process.env,
    cwd: process.cwd(),
    stdoutIsTerminal: process.stdout.isTTY === true,
    stdinIsTerminal: process.stdin.isTTY === true,
    columns: () => process.stdout.columns || 100,
    out: (data) => new Promise((resolve) => process.stdout.write(data, () => resolve())),
    err: (data) => void process.stderr.write(data),
    readStdin: () => buffer(process.stdin),
    onInterrupt(callback) {
      process.on('SIGINT', callback);
      process.on('SIGTERM', callback);
      return () => {
        process.off('SIGINT', callback);
        process.off('SIGTERM', callback);
      };
    },
    setExitCodeWithoutReader(code) {
      exitCodeWithoutReader = code;
    },
    exit: (code) => process.exit(code),
  };
}
