import { runCli } from './cli.ts';
import type { Io } from './io.ts';

/** What a command line did, as its user saw it. */
export interface CliRun {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command line without a terminal and gathers what it writes. For tests. */
export async function runCaptured(
  argv: readonly string[],
  options: { stdin?: string | Uint8Array; env?: Record<string, string>; cwd?: string } = {},
): Promise<CliRun> {
  const out: Uint8Array[] = [];
  let err = '';
  const io: Io = {
    env: options.env ?? {},
    cwd: options.cwd ?? '/nowhere',
    stdoutIsTerminal: false,
    stdinIsTerminal: false,
    columns: () => 100,
    out: async (data) => void out.push(Buffer.from(data)),
    err(text) {
      err += text;
    },
    readStdin: async () => Buffer.from(options.stdin ?? ''),
    onInterrupt: () => () => undefined,
    setExitCodeWithoutReader: () => undefined,
    exit: () => undefined,
  };
  const code = await runCli(argv, io);
  return { code, out: Buffer.concat(out).toString(), err };
}
