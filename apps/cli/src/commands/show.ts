import { Command } from 'commander';

import { systemClock } from '@loam/base';
import type { Build, Step } from '@loam/contracts';

import { failure, summarize } from '../build/renderer.ts';
import { hasEnded } from '../build/follower.ts';
import type { CliContext } from '../context.ts';
import { firstLine, formatAge, formatBytes, formatDuration, formatTable } from '../output/format.ts';
import type { CommandFactory } from './command.ts';
import { paintState } from './ls.ts';

export const showCommand: CommandFactory = (cli) =>
  new Command('show')
    .description('show a build with its steps')
    .argument('<build>', 'id of the build')
    .option('--json', 'as JSON')
    .action(async (buildId: string, options: { json?: boolean }) => {
      const build = await cli.client().build(buildId);
      await (options.json ? cli.json(build) : cli.io.out(formatBuild(build, cli)));
    });

function formatBuild(build: Build, cli: CliContext): string {
  const style = cli.style();
  const facts = [
    ['build', style.bold(build.id)],
    [
      'state',
      paintState(build.state, style) + (build.cancelRequested && build.endedAt === null ? ' (cancelling)' : ''),
    ],
    ...(build.title === null ? [] : [['title', build.title]]),
    ...(build.waiting === null ? [] : [['waiting', build.waiting]]),
    ['pool', build.pool],
    ...(build.agentName === null ? [] : [['agent', build.agentName]]),
    ['submitted', `${formatAge(build.createdAt, systemClock.now())} by ${build.createdBy}`],
    ...(build.attempts.length > 1 ? [['attempts', String(build.attempts.length)]] : []),
    ...(build.retryOf === null ? [] : [['retry of', build.retryOf]]),
  ];
  const width = Math.max(30, cli.io.columns() - 60);
  const steps = build.stepRuns.map((step) => [
    step.position,
    firstLine(step.op, width),
    state(step, cli),
    step.durationMs === null ? '' : formatDuration(step.durationMs),
    step.sizeBytes === null ? '' : formatBytes(step.sizeBytes),
  ]);
  const end = hasEnded(build) ? `\n${summarize(build, style)}` : '';
  return `${formatTable(facts)}\n${formatTable(steps)}${end}`;
}

function state(step: Step, cli: CliContext): string {
  const style = cli.style();
  switch (step.state) {
    case 'hit':
      return style.green('cached');
    case 'built':
    case 'shared':
      return style.green(step.state);
    case 'failed':
      return style.red(failure(step));
    case 'running':
      return style.blue(step.phase ?? 'running');
    case 'cancelled':
      return style.yellow(step.state);
    default:
      return style.dim(step.state);
  }
}
