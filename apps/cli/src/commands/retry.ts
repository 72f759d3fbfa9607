import { Command } from 'commander';

import { followBuild } from '../build/follow.ts';
import { exitCodes } from '../exit-code.ts';
import type { CommandFactory } from './command.ts';

interface RetryOptions {
  readonly follow: boolean;
  readonly plainLog?: boolean;
  readonly json?: boolean;
}

export const retryCommand: CommandFactory = (cli) =>
  new Command('retry')
    .description('submit a build that has ended again, with the same spec, context and options')
    .argument('<build>', 'id of the build')
    .option('--no-follow', 'print the id of the new build and leave')
    .option('--plain-log', 'lines of logs without the number of their step')
    .option('--json', 'one JSON value a line')
    .action(async (buildId: string, options: RetryOptions) => {
      cli.failureCode = exitCodes.notRun;
      const build = await cli.client().retryBuild(buildId);
      if (!options.follow) {
        await (options.json ? cli.json(build) : cli.line(build.id));
        return;
      }
      if (!options.json) await cli.line(`${cli.style().bold(build.id)} ${cli.farm().url}/builds/${build.id}`);
      cli.exitCode = await followBuild(cli, build.id, { ...options, cancelOnInterrupt: true });
    });
