import { Command } from 'commander';

import type { CommandFactory } from './command.ts';

export const cancelCommand: CommandFactory = (cli) =>
  new Command('cancel')
    .description('ask the farm to cancel builds')
    .argument('<builds...>', 'ids of the builds')
    .action(async (buildIds: string[]) => {
      for (const buildId of buildIds) {
        const build = await cli.client().cancelBuild(buildId);
        await cli.line(`${build.id} ${build.state === 'cancelled' ? 'cancelled' : `${build.state}, cancelling`}`);
      }
    });
