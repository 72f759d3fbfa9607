import { Command, InvalidArgumentError, Option } from 'commander';

import { LoamError, systemClock } from '@loam/base';
import type { Agent, Isolation } from '@loam/contracts';

import type { CliContext } from '../context.ts';
import { formatAge, formatBytes, formatTable } from '../output/format.ts';
import { formatAgent } from './agent-health.ts';
import type { CommandFactory } from './command.ts';

/** `loam agents [ls|show|drain|resume|revoke|enrol]` */
export const agentsCommand: CommandFactory = (cli) => {
  const agents = new Command('agents').description('the hosts that build');

  agents
    .command('ls', { isDefault: true })
    .description('list agents with what they do')
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean }) => {
      const { items } = await cli.client().agents();
      await (options.json ? cli.json(items) : cli.io.out(formatTable(items.map((agent) => row(agent, cli)))));
    });
  agents
    .command('show')
    .description('one agent, with what its doctor found on the host')
    .argument('<agent>', 'name or id of the agent')
    .option('--json', 'as JSON: the agent, with the report in `doctorReport`')
    .action((name: string, options: { json?: boolean }) => show(cli, name, options));
  agents
    .command('drain')
    .description('let an agent finish what it does and take nothing new')
    .argument('<agent>', 'name or id of the agent')
    .action(async (name: string) =>
      tell(cli, await cli.client().updateAgent((await find(cli, name)).id, { draining: true })),
    );
  agents
    .command('resume')
    .description('let a drained agent take builds again')
    .argument('<agent>', 'name or id of the agent')
    .action(async (name: string) =>
      tell(cli, await cli.client().updateAgent((await find(cli, name)).id, { draining: false })),
    );
  agents
    .command('revoke')
    .description("take an agent's credential away, at once and for good; its builds go elsewhere")
    .argument('<agent>', 'name or id of the agent')
    .action(async (name: string) => tell(cli, await cli.client().revokeAgent((await find(cli, name)).id)));
  agents
    .command('enrol')
    .description('make a one-time token, and print the lines to paste on a host')
    .requiredOption('--pool <name>', 'the pool that the new agent joins')
    .option('--hours <number>', 'how long the token is good', parsePositive, 1)
    .option('--slots <number>', 'builds at the same time on the new agent', parsePositive)
    .addOption(new Option('--isolation <kind>', 'of containers on Windows').choices(isolations))
    .option('--json', 'as JSON')
    .action((options: EnrolOptions) => enrol(cli, options));

  return agents;
};

async function show(cli: CliContext, name: string, options: { json?: boolean }): Promise<void> {
  const client = cli.client();
  const agent = await find(cli, name);
  const { report } = await client.agentDoctor(agent.id);
  await (options.json ? cli.json({ ...agent, doctorReport: report }) : cli.io.out(formatAgent(agent, report, cli)));
}

/** By its id, or by its name where only one that is not revoked has it. */
async function find(cli: CliContext, name: string): Promise<Agent> {
  const { items } = await cli.client().agents();
  const byId = items.find((agent) => agent.id === name);
  if (byId !== undefined) return byId;
  const named = items.filter((agent) => agent.name === name);
  const [agent, ...others] = named.length > 1 ? named.filter(({ state }) => state !== 'revoked') : named;
  if (agent === undefined) throw LoamError.of('api.agent-unknown', { id: name });
  if (others.length > 0) throw LoamError.of('cli.agent-ambiguous', { name, count: others.length + 1 });
  return agent;
}

interface EnrolOptions {
  readonly pool: string;
  readonly hours: number;
  readonly slots?: number;
  readonly isolation?: Isolation;
  readonly json?: boolean;
}

function parsePositive(text: string): number {
  const number = Number(text);
  if (!Number.isFinite(number) || number <= 0) throw new InvalidArgumentError('Give a number above 0.');
  return number;
}

const isolations = ['process', 'hyperv', 'process-or-hyperv'] satisfies Isolation[];

async function enrol(cli: CliContext, options: EnrolOptions): Promise<void> {
  const { pool, slots, isolation } = options;
  const ttlMs = Math.round(options.hours * 3_600_000);
  const client = cli.client();
  const problem = options.json ? null : (await client.downloads()).problem;
  const token = await client.createEnrolmentToken({
    pool,
    ttlMs,
    ...(slots === undefined ? {} : { slots }),
    ...(isolation === undefined ? {} : { isolation }),
  });
  if (options.json) {
    await cli.json(token);
    return;
  }
  const { dim, yellow } = cli.style();
  await cli.io.out(
    (problem === null ? '' : `${yellow(`${problem.message} ${problem.remedy}`)}\n\n`) +
      (token.isPlainHttp ? `${yellow(`${token.url} is plain HTTP: use it in a network that you trust.`)}\n\n` : '') +
      `${dim('On a Linux host, as root:')}\n${token.commands.linux}\n\n` +
      `${dim('On a Windows host, in PowerShell as administrator:')}\n${token.commands.windows}\n\n` +
      dim(`Good once, until ${new Date(token.expiresAt).toISOString()}.\n`),
  );
}

async function tell(cli: CliContext, agent: Agent): Promise<void> {
  await cli.line(`${agent.name} (${agent.id}) ${agent.state}`);
}

function row(agent: Agent, cli: CliContext): string[] {
  const style = cli.style();
  const paint = {
    online: style.green,
    offline: style.dim,
    draining: style.yellow,
    quarantined: style.red,
    revoked: style.dim,
  };
  const seen = agent.lastSeenAt === null ? 'never seen' : formatAge(agent.lastSeenAt, systemClock.now());
  return [
    agent.id,
    agent.name,
    paint[agent.state](agent.state),
    agent.pool,
    `${agent.running.length}/${agent.slots} slots`,
    `${agent.snapshots} snapshots, ${formatBytes(agent.snapshotBytes)}`,
    agent.facts?.platform ?? '',
    style.dim(agent.reason ?? (agent.state === 'online' ? '' : seen)),
  ];
}
