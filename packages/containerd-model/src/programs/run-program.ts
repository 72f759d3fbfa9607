import { cmdShell } from './cmd-shell.ts';
import { posixShell } from './posix-shell.ts';
import { programName, type StandIns } from './other-programs.ts';
import type { ProgramContext } from './program.ts';
import { tarProgram } from './tar-program.ts';

/** The programs that the model can run, by name; any other ends with 1 and says so. `standIns` are further ones for cmd. */
export async function runProgram(context: ProgramContext, standIns?: StandIns): Promise<number> {
  const [program = '', ...args] = context.argv;
  const name = programName(program);
  switch (name) {
    case 'cmd':
      return cmdShell(context, standIns);
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
