import { readFileSync } from 'node:fs';
import path from 'node:path';

import { systemClock } from '@loam/base';
import { openQueue } from '@loam/queue';
import postgres from 'postgres';

import { pause } from './fault.ts';
import { heldSteps } from './judge-hosts.ts';
import { judgeLog } from './judge-builds.ts';
import type { SoakAgent } from './soak-agent.ts';
import type { SoakFarm } from './soak-farm.ts';
import type { Traffic } from './traffic.ts';

/** How long an agent may take to link and to tell what it holds. */
const settleMs = 30_000;

interface LogRow {
  id: string;
  sizeBytes: number;
  endedAt: number | null;
  position: string;
  state: string;
  title: string;
}

/** What the database says, beside the model and beside what the agents hold. */
export async function judgeFarm(soak: SoakFarm, traffic: Traffic): Promise<string[]> {
  const access = JSON.parse(readFileSync(path.join(soak.directory, 'api', 'postgres.json'), 'utf8')) as {
    port: number;
    password: string;
  };
  const url = `postgres://loam:${access.password}@127.0.0.1:${access.port}/loam`;
  const sql = postgres(url, {
    max: 1,
    transform: { column: { from: postgres.toCamel } },
    onnotice: () => undefined,
    types: { bigint: postgres.BigInt },
  });
  try {
    return [
      ...(await judgeRows(sql, traffic)),
      ...(await judgeLogs(sql, soak, traffic)),
      ...(await judgeReplicas(sql, soak)),
      ...(await judgeQueue(soak.redis?.url ?? url)),
    ];
  } finally {
    await sql.end();
  }
}

async function judgeRows(sql: postgres.Sql, traffic: Traffic): Promise<string[]> {
  const findings: string[] = [];
  const rows = async (what: string, query: PromiseLike<readonly object[]>): Promise<void> => {
    for (const row of await query) findings.push(`${what}: ${JSON.stringify(row, plain)}`);
  };
  const known = new Set(traffic.submitted.map(({ id }) => id));
  const builds = await sql<
    { id: string; title: string; retryOf: string | null }[]
  >`select id, title, retry_of from builds`;
  for (const build of builds) {
    // A retry whose answer was lost is a build of which the model does not know.
    if (!known.has(build.id) && build.retryOf === null)
      findings.push(`nobody submitted build ${build.id} (${build.title})`);
  }
  await rows(
    'a build not ended',
    sql`select id, title, state, live_attempt from builds where state in ('queued', 'running') or live_attempt is not null`,
  );
  await rows(
    'an attempt not ended',
    sql`select id, build_id, state from attempts where state in ('offered', 'running') or ended_at is null`,
  );
  await rows('a step run not ended', sql`select id, build_id, position, state from step_runs where state = 'running'`);
  await rows('a log not ended', sql`select id, build_id from logs where ended_at is null`);
  await rows('a secret of a build that has ended', sql`select build_id, id from build_secrets`);
  await rows('a fence used twice', sql`select build_id, fence from attempts group by 1, 2 having count(*) > 1`);
  await rows(
    'two good ends',
    sql`select build_id from attempts where state in ('succeeded', 'failed') group by 1 having count(*) > 1`,
  );
  await rows(
    'an end unlike its attempt',
    sql`select b.id, b.state, t.state as attempt from builds b join attempts t on t.build_id = b.id
    and t.fence = b.fence where b.state <> t.state and not (t.state = 'lost' and b.state in ('failed', 'cancelled'))`,
  );
  return findings;
}

/** Also of attempts that were lost: what there is must be a beginning of what there should be. */
async function judgeLogs(sql: postgres.Sql, { farm }: SoakFarm, traffic: Traffic): Promise<string[]> {
  const findings: string[] = [];
  const shapes = new Map(traffic.submitted.map(({ id, shape }) => [id, shape]));
  const logs = await sql<
    (LogRow & { buildId: string })[]
  >`select l.id, l.build_id, l.size_bytes::int, r.position, r.state, b.title
    from logs l left join step_runs r on r.id = l.id left join builds b on b.id = l.build_id`;
  for (const log of logs) {
    const expected = shapes.get(log.buildId)?.logs[log.position];
    const name = `log ${log.id} of step ${log.position} (${log.state}) of ${log.title}`;
    if (log.position === null) findings.push(`${name} belongs to no step run`);
    if (expected === undefined) {
      if (log.sizeBytes > 0 && shapes.has(log.buildId)) findings.push(`${name} should not be: ${log.sizeBytes} bytes`);
      continue;
    }
    const text = Buffer.from(await farm.client.log(log.id)).toString('utf8');
    const problem = judgeLog(text, expected, log.state === 'built' || log.state === 'shared');
    if (problem !== undefined) findings.push(`${name} ${problem}`);
  }
  return findings;
}

/** An agent tells what it holds with each new link, so it is given one; the farm may then ask of what it did not know. */
async function judgeReplicas(sql: postgres.Sql, { agents }: SoakFarm): Promise<string[]> {
  for (const agent of agents) agent.proxy.cut();
  const end = Date.now() + settleMs;
  for (;;) {
    const findings: string[] = [];
    for (const agent of agents) findings.push(...(await compareReplicas(sql, agent)));
    if (findings.length === 0 || Date.now() > end) return findings;
    await pause(500);
  }
}

async function compareReplicas(sql: postgres.Sql, agent: SoakAgent): Promise<string[]> {
  const rows = await sql<{ stepId: string; state: string }[]>`select r.step_id, r.state from replicas r
    join agents a on a.id = r.agent_id join steps s on s.id = r.step_id where a.name = ${agent.name} and s.kind <> 'from'`;
  const told = new Set(rows.map((row) => row.stepId));
  const held = new Set(heldSteps(agent));
  return [
    ...[...told].filter((id) => !held.has(id)).map((id) => `the graph has ${id} on ${agent.name}, which lacks it`),
    ...[...held].filter((id) => !told.has(id)).map((id) => `${agent.name} holds ${id}, and the graph does not know it`),
  ];
}

async function judgeQueue(url: string): Promise<string[]> {
  const queue = await openQueue({ url, clock: systemClock });
  try {
    const end = Date.now() + 10_000;
    for (;;) {
      const count = await queue.countBuilds('linux');
      if (count === 0) return [];
      if (Date.now() > end) return [`the queue keeps ${count} jobs of builds`];
      await pause(500);
    }
  } finally {
    await queue.close();
  }
}

function plain(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value;
}
