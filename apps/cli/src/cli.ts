import { Command, CommanderError, Option } from 'commander';

import { isLoamError, toLoamError } from '@loam/base';

import { agentsCommand } from './commands/agents.ts';
import { buildCommand } from './commands/build.ts';
import { cancelCommand } from './commands/cancel.ts';
import { completionCommand } from './commands/completion.ts';
import { loginCommand } from './commands/login.ts';
import { logsCommand } from './commands/logs.ts';
import { lsCommand } from './commands/ls.ts';
import { planCommand } from './commands/plan.ts';
import { retryCommand } from './commands/retry.ts';
import { secretCommand } from './commands/secret.ts';
import { showCommand } from './commands/show.ts';
import { specCommand } from './commands/spec.ts';
import { createContext, type CliContext } from './context.ts';
import { exitCodes } from './exit-code.ts';
import type { Io } from './io.ts';
import { formatError } from './output/error.ts';
import { cliVersion } from './version.ts';

const exitCodeHelp = `
Exit codes:
  0        all went well; for \`build\` and \`retry\`: the build succeeded
  1        it failed; \`spec check\`: the spec has errors; \`spec fmt --check\`: a file is laid out otherwise
  1…124    \`build\` and \`retry\`: the exit code of the step that failed (1 when it has none in this range)
  2        the command line is wrong
  125      \`build\` and \`retry\`: the farm could not run the build (bad spec, no connection, an error inside Loam)
  130      the build was cancelled

The farm's address and token come from --url and --token, LOAM_URL and LOAM_TOKEN, what \`loam login\` stored,
or a farm that \`npm start\` started here ($LOAM_DATA/cli.json, or .loam/cli.json in this folder or one above). LOAM_DEBUG=1 shows where an internal error came from.`;

/** Runs one command line and resolves with its exit code. Never throws; errors go to standard error without a stack trace. */
export async function runCli(argv: readonly string[], io: Io): Promise<number> {
  const cli = createContext(io);
  const program = createProgram(cli);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return cli.exitCode;
  } catch (error) {
    // Commander has told the user already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.success : exitCodes.usage;
    io.err(formatError(toLoamError(error), cli.errorStyle()));
    if (!isLoamError(error) && io.env['LOAM_DEBUG']) io.err(`${(error as Error).stack}\n`);
    return cli.failureCode;
  }
}

function createProgram(cli: CliContext): Command {
  const program = new Command('loam')
    .description('Builds in clean Windows and Linux containers, and never runs a step twice.')
    .version(cliVersion(), '-V, --version', 'print the version')
    .option('--url <url>', 'address of the farm')
    .option('--token <token>', 'API token')
    .addOption(
      new Option('--color [when]', 'colours: auto, always or never')
        .choices(['auto', 'always', 'never'])
        .preset('always'),
    )
    .option('--no-color', 'no colours')
    .showHelpAfterError('(see `loam --help`, or `loam COMMAND --help`)')
    .addHelpText('after', exitCodeHelp);
  program.hook('preAction', (_program, command) => cli.setGlobals(command.optsWithGlobals()));
  const commands = [
    buildCommand,
    planCommand,
    logsCommand,
    lsCommand,
    showCommand,
    cancelCommand,
    retryCommand,
    agentsCommand,
    secretCommand,
    specCommand,
    loginCommand,
    completionCommand,
  ];
  for (const command of commands) program.addCommand(command(cli, program));
  configure(program, cli.io);
  return program;
}

/** Settings that commander does not hand down to commands that were made on their own. */
function configure(command: Command, io: Io): void {
  command.exitOverride().configureOutput({
    writeOut: (text) => void io.out(text),
    writeErr: (text) => io.err(text),
    getOutHelpWidth: () => io.columns(),
    getErrHelpWidth: () => io.columns(),
  });
  command.showSuggestionAfterError(true);
  if (command.commands.length > 0) command.addHelpText('before', () => refuseUnknown(command));
  if (command.parent) command.showHelpAfterError(`(see \`${pathOf(command)} --help\`)`);
  for (const child of command.commands) configure(child, io);
}

/** Commander would show the help of all commands to who asks for that of one which there is not. */
function refuseUnknown(command: Command): string {
  const name = command.args[command.args[0] === 'help' ? 1 : 0];
  const isKnown = command.commands.some((child) => child.name() === name);
  if (name !== undefined && !name.startsWith('-') && !isKnown) command.parse([name], { from: 'user' });
  return '';
}

function pathOf(command: Command): string {
  return command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();
}
