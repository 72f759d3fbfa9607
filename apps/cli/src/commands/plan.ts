import { Command } from 'commander';

import type { Plan, PlannedStep } from '@loam/contracts';

import { prepareBuild } from '../build/prepare.ts';
import type { CliContext } from '../context.ts';
import { firstLine, formatBytes, formatDuration, formatTable } from '../output/format.ts';
import type { CommandFactory } from './command.ts';

interface PlanOptions {
  readonly file: string;
  readonly pool?: string;
  readonly refresh?: boolean;
  readonly json?: boolean;
}

export const planCommand: CommandFactory = (cli) =>
  new Command('plan')
    .description('say what a build would do: which steps are cached, and why the others are not; sends no files')
    .argument('[dir]', 'the project whose files the spec copies', '.')
    .requiredOption('-f, --file <spec>', 'the spec; - is standard input')
    .option('--pool <name>', 'the pool of agents to build on')
    .option('--refresh', 'look the tags of base images up again')
    .option('--json', 'as JSON')
    .action(async (folder: string, options: PlanOptions) => {
      const client = cli.client();
      const prepared = await prepareBuild(cli, client, folder, options);
      const plan = await client.plan({
        spec: prepared.text,
        ...(prepared.context && { context: prepared.context.digest }),
        ...(options.pool !== undefined && { pool: options.pool }),
        ...(options.refresh && { refresh: true }),
      });
      await (options.json ? cli.json(plan) : cli.io.out(formatPlan(plan, cli)));
    });

function formatPlan(plan: Plan, cli: CliContext): string {
  const style = cli.style();
  const paint = { hit: style.green, miss: style.yellow, 'in-flight': style.blue, unknown: style.dim };
  const words = { hit: 'cached', miss: 'build', 'in-flight': 'running', unknown: 'unknown' };
  const rows = plan.steps.map((step) => [
    paint[step.state](words[step.state]),
    step.position,
    firstLine(step.op, Math.max(30, cli.io.columns() - 50)),
    style.dim(describe(step)),
  ]);
  const hits = plan.steps.filter((step) => step.state === 'hit').length;
  const where = plan.agentName === null ? 'no agent of the pool is connected' : `as ${plan.agentName} sees it`;
  return `${formatTable(rows)}${hits} of ${plan.steps.length} steps are cached, ${where}\n`;
}

function describe(step: PlannedStep): string {
  const parts = [
    step.sizeBytes === null ? '' : formatBytes(step.sizeBytes),
    step.lastDurationMs === null ? '' : `took ${formatDuration(step.lastDurationMs)}`,
    step.reason ?? '',
  ];
  return parts.filter((part) => part !== '').join(', ');
}
