import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** Well-known security identifiers, the same in every language (Microsoft, "Well-known SIDs"). */
const system = '*S-1-5-18';
const administrators = '*S-1-5-32-544';

/** Arguments of icacls that make a directory, and what inherits from it, the administrators' own. */
export function protectionArguments(directory: string): string[][] {
  const all = ':(OI)(CI)F';
  return [
    [directory, '/setowner', administrators, '/Q'],
    [directory, '/inheritance:r', '/grant:r', `${system}${all}`, `${administrators}${all}`, '/Q'],
  ];
}

/**
 * On Windows: keeps everybody but SYSTEM and administrators out of a directory. Below %ProgramData% every user may read, and
 * may have made the directory before us. On Linux the modes of the files do that.
 */
export function protectDirectory(directory: string): void {
  if (process.platform !== 'win32') return;
  const icacls = join(process.env['SystemRoot'] ?? 'C:\\Windows', 'System32', 'icacls.exe');
  for (const parameters of protectionArguments(directory)) {
    execFileSync(icacls, parameters, { timeout: 30_000, windowsHide: true, stdio: 'ignore' });
  }
}
