import { LoamError } from '@loam/base';

/** What `cmd` reads of one command line. Source: Microsoft, "Command prompt line string limitation" (8191 characters). */
const maxCmdLine = 8191;

/**
 * The command line of an argv whose program is `cmd`, or undefined for any other, which runhcs quotes well by itself.
 *
 * `cmd` does not read quotes as other programs do: with /S it takes the first and the last one away and runs what is
 * between them as it stands (reference §4.3). So the script stands between two quotes, and nothing in it is escaped. A
 * script of several lines is refused, because `cmd /C` runs the first one only and says nothing.
 *
 * @throws LoamError `backend.command-unsupported`
 */
export function cmdCommandLine(argv: readonly string[]): string | undefined {
  const [program = '', ...rest] = argv;
  if (!/^(?:.*[\\/])?cmd(?:\.exe)?$/i.test(program)) return undefined;
  const at = rest.findIndex((argument) => /^\/[ck]$/i.test(argument));
  if (at === -1 || at === rest.length - 1) return undefined;
  const script = rest
    .slice(at + 1)
    .join(' ')
    .replace(/[\r\n]+$/, '');
  if (/[\r\n]/.test(script)) throw unsupported('cmd runs only the first line of a command that has several');
  const name = program.includes(' ') ? `"${program}"` : program;
  const line = [name, ...rest.slice(0, at + 1), `"${script}"`].join(' ');
  if (line.length > maxCmdLine) throw unsupported(`it has ${line.length} characters, and cmd takes ${maxCmdLine}`);
  return line;
}

function unsupported(reason: string): LoamError {
  return LoamError.of('backend.command-unsupported', { reason });
}
