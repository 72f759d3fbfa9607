import { Command } from 'commander';

import { LoamError } from '@loam/base';
import type { Build, Step } from '@loam/contracts';

import { followBuild } from '../build/follow.ts';
import { hasEnded } from '../build/follower.ts';
import type { CliContext } from '../context.ts';
import type { CommandFactory } from './command.ts';

interface LogsOptions {
  readonly follow?: boolean;
  readonly json?: boolean;
}

/** Asked for at a time, so that a log of any size can be shown. */
const windowBytes = 1024 * 1024;

export const logsCommand: CommandFactory = (cli) =>
  new Command('logs')
    .description('print the logs of a build, byte for byte; of cached steps too, as far as the farm has them')
    .argument('<build>', 'id of the build')
    .argument('[step]', 'position of one step, as `loam show` gives it')
    .option('--follow', 'go on until the build ends, with its steps; exits as `loam build` does')
    .option('--json', 'with --follow: one JSON value a line')
    .action(async (buildId: string, position: string | undefined, options: LogsOptions) => {
      const build = await cli.client().build(buildId);
      if (options.follow && !hasEnded(build) && position === undefined) {
        cli.exitCode = await followBuild(cli, buildId, { ...options, cancelOnInterrupt: false });
        return;
      }
      for (const step of choose(build, position)) await print(cli, build, step, position === undefined);
    });

function choose(build: Build, position: string | undefined): Step[] {
  const steps = build.stepRuns.filter(
    (step) => step.logId !== null && (position === undefined || step.position === position),
  );
  if (position !== undefined && steps.length === 0) {
    throw LoamError.of('cli.no-such-step', { build: build.id, step: position });
  }
  return steps;
}

async function print(cli: CliContext, build: Build, step: Step, withHeading: boolean): Promise<void> {
  const client = cli.client();
  if (withHeading) cli.io.err(`${cli.style().cyan(`[${step.position}]`)} ${cli.style().bold(step.op)}\n`);
  for (let offset = 0; ;) {
    const bytes = await client.log(step.logId ?? '', offset, offset + windowBytes);
    if (bytes.length === 0) return;
    await cli.io.out(bytes);
    offset += bytes.length;
    if (bytes.length < windowBytes && hasEnded(build)) return;
  }
}
