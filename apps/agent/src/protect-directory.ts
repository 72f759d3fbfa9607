import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

import { LoamError } from '@loam/base';

/** Well-known security identifiers, the same in every language (Microsoft, "Well-known SIDs"). */
const system = '*S-1-5-18';
const administrators = '*S-1-5-32-544';
/** Everyone, the users of the host, whoever has logged in, and whoever makes something. */
const strangers = ['*S-1-1-0', '*S-1-5-32-545', '*S-1-5-11', '*S-1-3-0'];

/** Arguments of icacls that make a directory, and what inherits from it, the administrators' own. */
export function protectionArguments(directory: string): string[][] {
  const all = ':(OI)(CI)F';
  return [
    [directory, '/setowner', administrators, '/Q'],
    [directory, '/inheritance:r', '/grant:r', `${system}${all}`, `${administrators}${all}`, '/Q'],
    // What they were given by name is left by that.
    [directory, '/remove:g', ...strangers, '/Q'],
  ];
}

/**
 * On Windows: keeps everybody but SYSTEM and administrators out of a directory. Below %ProgramData% every user may read, and
 * may have made the directory before us. On Linux the modes of the files do that. Throws `agent.state-unprotected`.
 */
export function protectDirectory(
  directory: string,
  {
    platform = process.platform,
    run = runQuietly,
  }: { readonly platform?: string; readonly run?: typeof runQuietly } = {},
): void {
  if (platform !== 'win32') return;
  const icacls = join(process.env['SystemRoot'] ?? 'C:\\Windows', 'System32', 'icacls.exe');
  try {
    for (const parameters of protectionArguments(directory)) run(icacls, parameters);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.trim().replace(/\.$/, '') : String(cause);
    throw LoamError.of('agent.state-unprotected', { directory, reason }, { cause });
  }
}

function runQuietly(program: string, parameters: readonly string[]): void {
  execFileSync(program, [...parameters], { timeout: 30_000, windowsHide: true, stdio: 'ignore' });
}
