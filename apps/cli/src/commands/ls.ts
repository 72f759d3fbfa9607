import { Command, InvalidArgumentError, Option } from 'commander';

import { systemClock } from '@loam/base';
import type { BuildState, BuildSummary } from '@loam/contracts';

import { formatAge, formatDuration, formatTable } from '../output/format.ts';
import type { Style } from '../output/style.ts';
import type { CommandFactory } from './command.ts';

interface LsOptions {
  readonly state?: BuildState;
  readonly pool?: string;
  readonly search?: string;
  readonly limit: number;
  readonly json?: boolean;
}

export const lsCommand: CommandFactory = (cli) =>
  new Command('ls')
    .description('list builds, the latest first')
    .addOption(
      new Option('--state <state>', 'only these').choices(['queued', 'running', 'succeeded', 'failed', 'cancelled']),
    )
    .option('--pool <name>', 'only of this pool')
    .option('--search <text>', 'only with this in title, id or spec')
    .option('--limit <number>', 'at most so many', parseLimit, 20)
    .option('--json', 'as JSON')
    .action(async (options: LsOptions) => {
      const builds = await collect(options, (cursor, limit) =>
        cli.client().builds({
          limit,
          ...(cursor !== undefined && { cursor }),
          ...(options.state !== undefined && { state: options.state }),
          ...(options.pool !== undefined && { pool: options.pool }),
          ...(options.search !== undefined && { search: options.search }),
        }),
      );
      if (options.json) await cli.json(builds);
      else await cli.io.out(formatTable(builds.map((build) => row(build, cli.style()))));
    });

function parseLimit(text: string): number {
  const limit = Number(text);
  if (!Number.isSafeInteger(limit) || limit < 1) throw new InvalidArgumentError('Give a whole number above 0.');
  return limit;
}

/** Pages until there are as many as were asked for. */
async function collect(
  options: LsOptions,
  page: (cursor: string | undefined, limit: number) => Promise<{ items: BuildSummary[]; next: string | null }>,
): Promise<BuildSummary[]> {
  const wanted = options.limit;
  const builds: BuildSummary[] = [];
  for (let cursor: string | undefined; builds.length < wanted;) {
    const { items, next } = await page(cursor, Math.min(200, wanted - builds.length));
    builds.push(...items);
    if (next === null) break;
    cursor = next;
  }
  return builds;
}

function row(build: BuildSummary, style: Style): string[] {
  const took =
    build.startedAt !== null && build.endedAt !== null ? formatDuration(build.endedAt - build.startedAt) : '';
  return [
    build.id,
    paintState(build.state, style),
    build.pool,
    `${build.steps.hit}/${build.steps.total} cached`,
    took,
    formatAge(build.createdAt, systemClock.now()),
    style.dim(build.title ?? build.waiting ?? ''),
  ];
}

/** The state of a build in its colour. */
export function paintState(state: BuildState, style: Style): string {
  const paint = {
    queued: style.dim,
    running: style.blue,
    succeeded: style.green,
    failed: style.red,
    cancelled: style.yellow,
  };
  return paint[state](state);
}
