import { cmdShell } from './cmd-shell.ts';
import { posixShell } from './posix-shell.ts';
import type { ProgramContext } from './program.ts';
import { tarProgram } from './tar-program.ts';

/** The programs that the model can run, by name; any other ends with 1 and says so. */
export async function runProgram(context: ProgramContext): Promise<number> {
  const [program = '', ...args] = context.argv;
  const name = (program.split(/[\\/]/).at(-1) ?? '').toLowerCase().replace(/\.exe$/, '');
  switch (name) {
    case 'cmd':
      return cmdShell(context);
    case 'sh':
    case 'busybox':
      return posixShell(context);
    case 'tar':
      return tarProgram(args, {
        ...context,
        out: (bytes) => context.output('stdout', bytes),
        err: (text) => context.output('stderr', text),
      });
    default:
      context.output('stderr', `the model cannot run ${name}\r\n`);
      return 1;
  }
}
