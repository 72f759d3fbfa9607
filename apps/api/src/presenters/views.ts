import type { Clock } from '@loam/base';
import type { Agent, Build, BuildSummary } from '@loam/contracts';
import type { AgentDetailRow, BuildSummaryRow, Database } from '@loam/db';

import { presentAgent, waitingReason, type AgentTimes } from './agent.ts';
import { presentBuild, presentSummary } from './build.ts';

/** Reads things whole and presents them: what REST answers and viewers are shown is the same. */
export class Views {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #heartbeatMs: number;

  constructor(db: Database, clock: Clock, heartbeatMs: number) {
    this.#db = db;
    this.#clock = clock;
    this.#heartbeatMs = heartbeatMs;
  }

  async build(id: string): Promise<Build | undefined> {
    const detail = await this.#db.builds.detail(id);
    if (detail === undefined) return undefined;
    const agents = detail.build.state === 'queued' ? await this.#db.agents.list() : [];
    return presentBuild(detail, this.#waiting(detail.build.pool, agents));
  }

  async summary(id: string): Promise<BuildSummary | undefined> {
    const row = await this.#db.builds.summary(id);
    return row === undefined ? undefined : (await this.summaries([row]))[0];
  }

  async summaries(rows: readonly BuildSummaryRow[]): Promise<BuildSummary[]> {
    const agents = rows.some((row) => row.state === 'queued') ? await this.#db.agents.list() : [];
    return rows.map((row) => presentSummary(row, this.#waiting(row.pool, agents)));
  }

  async recent(): Promise<BuildSummary[]> {
    return this.summaries(await this.#db.builds.list({ limit: 50 }));
  }

  async agent(id: string): Promise<Agent | undefined> {
    const row = await this.#db.agents.get(id);
    return row === undefined ? undefined : presentAgent(row, this.#times());
  }

  async agents(): Promise<Agent[]> {
    const times = this.#times();
    return (await this.#db.agents.list()).map((row) => presentAgent(row, times));
  }

  #waiting(pool: string, agents: readonly AgentDetailRow[]): string {
    return waitingReason(
      pool,
      agents.filter((agent) => agent.pool === pool),
      this.#times(),
    );
  }

  #times(): AgentTimes {
    return { now: this.#clock.now(), heartbeatMs: this.#heartbeatMs };
  }
}
