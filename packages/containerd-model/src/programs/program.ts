import type { Clock } from '@loam/base';
import type { ProgramTree } from '@loam/backend/memory';

import type { ConsoleEvent } from '../runtime/console-signals.ts';

/** What a program of the model sees of its container: the model cannot run Windows programs. */
export interface ProgramContext {
  readonly commandLine: string;
  /** The command line as most programs split it; cmd reads the line itself. */
  readonly argv: readonly string[];
  /** As the spec gave it: `C:\src`. */
  readonly cwd: string;
  /** Names in any case; entries with an empty value are not there (reference §4.3). */
  readonly env: ReadonlyMap<string, string>;
  readonly user: string;
  readonly hostname: string;
  readonly hasNetwork: boolean;
  readonly memoryLimitBytes: number | undefined;
  readonly clock: Clock;
  /** Aborts when the process is terminated. A program that does not settle then is one that will not die. */
  readonly signal: AbortSignal;
  /** Without a handler a console event ends the process with 0xC000013A (reference §7.2). */
  readonly onConsoleEvent: (handler: (event: ConsoleEvent) => void) => void;
  readonly output: (stream: 'stdout' | 'stderr', bytes: Uint8Array | string) => void;
  readonly stdin: () => AsyncIterable<Uint8Array>;
  /** As a grandchild that inherited the outputs does: they stay open after the exit, until the returned function is called. */
  readonly holdOutputs: () => () => void;
  /** The files behind a path of the container (`C:\x`, `\x`, `/x`), mounts considered. */
  readonly at: (path: string) => { readonly tree: ProgramTree; readonly path: string; readonly readonly: boolean };
}

/** What runs in place of a Windows program: gives the 32-bit exit code. */
export type Program = (context: ProgramContext) => Promise<number>;

/** Thrown by a program that wanted more memory than its limit. */
export class CommitLimitError extends Error {}

/** `C:\a\b`, `\a\b`, `/a/b` or `/c/a/b`-less POSIX → `a/b`. */
export function volumePath(path: string): string {
  return path
    .replace(/^[A-Za-z]:/, '')
    .split(/[\\/]/)
    .filter((name) => name !== '')
    .join('/');
}

/** A path relative to a directory, both as Windows or POSIX write them. */
export function absolutePath(path: string, cwd: string): string {
  if (/^[A-Za-z]:[\\/]/.test(path)) return path;
  return /^[\\/]/.test(path) ? `C:${path}` : `${cwd.replace(/[\\/]$/, '')}\\${path}`;
}
