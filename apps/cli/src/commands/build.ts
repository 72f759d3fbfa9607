import { randomUUID } from 'node:crypto';

import { Command, InvalidArgumentError, Option } from 'commander';

import { systemClock } from '@loam/base';
import { LimitsBody, SubmitBuild } from '@loam/contracts';

import { followBuild } from '../build/follow.ts';
import { untilFarmAnswers } from '../build/until-farm-answers.ts';
import { prepareBuild, sendContext } from '../build/prepare.ts';
import type { CliContext } from '../context.ts';
import { exitCodes } from '../exit-code.ts';
import type { CommandFactory } from './command.ts';

interface BuildOptions {
  readonly file: string;
  readonly pool?: string;
  readonly secret?: readonly string[];
  readonly title?: string;
  readonly priority?: number;
  readonly timeout?: number;
  readonly cpus?: number;
  readonly memory?: number;
  readonly scratch?: number;
  readonly isolation?: 'process' | 'hyperv';
  readonly refresh?: boolean;
  readonly follow: boolean;
  readonly plainLog?: boolean;
  readonly json?: boolean;
}

export const buildCommand: CommandFactory = (cli) =>
  new Command('build')
    .description('build a spec on the farm and show it until it ends; Ctrl-C asks the farm to cancel it')
    .argument('[dir]', 'the project whose files the spec copies', '.')
    .requiredOption('-f, --file <spec>', 'the spec; - is standard input')
    .option('--pool <name>', 'the pool of agents to build on')
    .option(
      '--secret <id:file|id=NAME>',
      'a secret: the content of a file, or one that the farm keeps (repeatable)',
      (text: string, before: string[] | undefined) => [...(before ?? []), text],
    )
    .option('--title <text>', 'what to call the build')
    .option('--priority <number>', '-100 to 100, higher goes first', parsePriority)
    .option('--timeout <time>', 'limit for one attempt, as in 90s, 10m, 2h', parseDuration)
    .option('--cpus <number>', 'limit of a step', parseCpus)
    .option('--memory <size>', 'limit of a step, as in 512m, 4g', parseMemory)
    .option('--scratch <size>', 'disk of a step on Windows, as in 60g', parseScratch)
    .addOption(
      new Option('--isolation <kind>', 'of a step on Windows, as far as its agent allows it').choices([
        'process',
        'hyperv',
      ]),
    )
    .option('--refresh', 'look the tags of base images up again')
    .option('--no-follow', 'print the id of the build and leave')
    .option('--plain-log', 'lines of logs without the number of their step')
    .addOption(new Option('--json', 'one JSON value a line: build, step, log (base64), log-end, result'))
    .action((folder: string, options: BuildOptions) => run(cli, folder, options));

async function run(cli: CliContext, folder: string, options: BuildOptions): Promise<void> {
  cli.failureCode = exitCodes.notRun;
  const client = cli.client();
  const prepared = await prepareBuild(cli, client, folder, { ...options, secret: options.secret ?? [] });
  await sendContext(cli, client, prepared, options.json === true);
  // The key makes a second try find the first one's build.
  const key = randomUUID();
  const body: SubmitBuild = {
    spec: prepared.text,
    ...(prepared.context && { context: prepared.context.digest }),
    ...(prepared.secrets.length > 0 && { secrets: prepared.secrets }),
    ...(options.pool !== undefined && { pool: options.pool }),
    ...(options.title !== undefined && { title: options.title }),
    ...(options.priority !== undefined && { priority: options.priority }),
    ...(options.timeout !== undefined && { timeoutMs: options.timeout }),
    ...(options.refresh && { refresh: true }),
    ...limits(options),
  };
  const build = await untilFarmAnswers(systemClock, () => client.submit(body, key), 2);
  if (!options.follow) {
    await (options.json ? cli.json(build) : cli.line(build.id));
    return;
  }
  if (!options.json) await cli.line(`${cli.style().bold(build.id)} ${cli.farm().url}/builds/${build.id}`);
  cli.exitCode = await followBuild(cli, build.id, { ...options, cancelOnInterrupt: true });
}

function limits(options: BuildOptions): Pick<SubmitBuild, 'limits'> {
  const value = {
    ...(options.cpus !== undefined && { cpus: options.cpus }),
    ...(options.memory !== undefined && { memoryBytes: options.memory }),
    ...(options.scratch !== undefined && { scratchBytes: options.scratch }),
    ...(options.isolation !== undefined && { isolation: options.isolation }),
  };
  return Object.keys(value).length > 0 ? { limits: value } : {};
}

/** What a schema of the API says of a number. */
interface Range {
  readonly type?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
}
const submit: Readonly<Record<'priority' | 'timeoutMs', Range>> = SubmitBuild.properties;
const limit: Readonly<Record<'cpus' | 'memoryBytes' | 'scratchBytes', Range>> = LimitsBody.properties;

/** What the farm would refuse is a wrong command line, and said before anything is sent. */
function within(value: number, range: Range, words: string): number {
  const { minimum = -Infinity, maximum = Infinity, exclusiveMinimum = -Infinity } = range;
  const fits = value >= minimum && value <= maximum && value > exclusiveMinimum;
  if (!fits || (range.type === 'integer' && !Number.isSafeInteger(value))) throw new InvalidArgumentError(words);
  return value;
}

function parseNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('It is not a number.');
  return value;
}

function parsePriority(text: string): number {
  return within(parseNumber(text), submit.priority, 'Give a whole number from -100 to 100.');
}

function parseCpus(text: string): number {
  return within(parseNumber(text), limit.cpus, 'Give a number above 0.');
}

function parseMemory(text: string): number {
  return within(parseSize(text), limit.memoryBytes, 'Give at least 4m.');
}

function parseScratch(text: string): number {
  return within(parseSize(text), limit.scratchBytes, 'Give at least 1g.');
}

/** Milliseconds of `90s`, `10m`, `2h`, `500ms`; a bare number is seconds. */
function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text);
  if (!match) throw new InvalidArgumentError('Write it as 90s, 10m or 2h.');
  const ms = Math.round(Number(match[1]) * { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[(match[2] ?? 's') as 's']);
  return within(ms, submit.timeoutMs, 'Give at least 1s.');
}

/** Bytes of `512m`, `4g`; powers of 1024, as Docker counts. */
function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([kmg])?b?$/i.exec(text);
  if (!match) throw new InvalidArgumentError('Write it as 512m or 4g.');
  const unit = { k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[match[2]?.toLowerCase() as 'k'] ?? 1;
  return Math.round(Number(match[1]) * unit);
}
