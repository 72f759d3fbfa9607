import { recordset, type Connection } from '../connect.ts';
import type { steps } from '../schema/index.ts';

export type StepRow = typeof steps.$inferSelect;

export interface ReplicaRow {
  readonly stepId: string;
  readonly agentId: string;
  readonly agentName: string;
  readonly state: 'present' | 'to-remove';
  readonly sizeBytes: number | null;
  readonly lastUsedAt: number | null;
}

/** A step as an agent describes it that holds it. */
export interface FoundStep extends Pick<StepRow, 'parentId' | 'kind' | 'op' | 'platform' | 'sizeBytes'> {
  readonly stepId: string;
}

export type CacheRepository = ReturnType<typeof cacheRepository>;

export function cacheRepository({ sql }: Connection) {
  const replicasOf = (ids: readonly string[]): Promise<ReplicaRow[]> => sql<ReplicaRow[]>`
    select r.step_id, r.agent_id, coalesce(a.name, r.agent_id) as agent_name, r.state, r.size_bytes, r.last_used_at
    from replicas r left join agents a on a.id = r.agent_id
    where r.state = 'present' and r.step_id = any(${ids as string[]}) order by agent_name`;
  return {
    replicasOf,

    /** Steps that some agent holds, the last used first; without their records, which can be large. */
    async graph(query: { limit: number; search?: string }): Promise<Omit<StepRow, 'record'>[]> {
      const pattern = query.search === undefined ? '' : `%${query.search.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
      return sql<Omit<StepRow, 'record'>[]>`
        select id, parent_id, kind, op, platform, copies_from, size_bytes, duration_ms, first_built_at, first_build_id, log_id,
          last_used_at, hits
        from steps s
        where exists (select 1 from replicas r where r.step_id = s.id and r.state = 'present')
          ${query.search === undefined ? sql`` : sql`and (s.op ilike ${pattern} or s.id like ${`${query.search}%`})`}
        order by last_used_at desc, id limit ${query.limit}`;
    },

    async step(id: string): Promise<StepRow | undefined> {
      const [row] = await sql<StepRow[]>`select * from steps where id = ${id}`;
      return row;
    },

    /** The builds that used a step lately. */
    async buildsOf(id: string): Promise<{ id: string; title: string | null; createdAt: number }[]> {
      return sql<{ id: string; title: string | null; createdAt: number }[]>`
        select b.id, b.title, b.created_at from builds b
        where b.id in (select build_id from step_runs where step_id = ${id} order by started_at desc limit 100)
        order by b.created_at desc limit 20`;
    },

    /** A step and everything that stands on it, children first, with who holds it. */
    async subtree(id: string): Promise<{ id: string; op: string; replicas: ReplicaRow[] }[]> {
      const found = await sql<{ id: string; op: string }[]>`
        with recursive below as (
          select id, op, 0 as depth from steps where id = ${id}
          union all
          select s.id, s.op, b.depth + 1 from steps s join below b on s.parent_id = b.id where b.depth < 100000
        )
        select id, op from below order by depth desc, id`;
      const held = Map.groupBy(await replicasOf(found.map((row) => row.id)), (replica) => replica.stepId);
      return found.map((row) => ({ ...row, replicas: held.get(row.id) ?? [] }));
    },

    async lastDurations(ids: readonly string[]): Promise<Map<string, number>> {
      const rows = await sql<{ id: string; durationMs: number }[]>`
        select id, duration_ms from steps where id = any(${ids as string[]}) and duration_ms is not null`;
      return new Map(rows.map((row) => [row.id, row.durationMs]));
    },

    /** What the same op took when it was last executed anywhere: the best guess for a step that will be a miss. */
    async lastDurationsOfOps(ops: readonly string[]): Promise<Map<string, number>> {
      const rows = await sql<{ op: string; durationMs: number }[]>`
        select distinct on (op) op, duration_ms from steps
        where op = any(${ops as string[]}) and duration_ms is not null order by op, last_used_at desc`;
      return new Map(rows.map((row) => [row.op, row.durationMs]));
    },

    /** The agent's whole store, as it listed it. What was changed since `asOf` is newer than the list and stays. */
    async reconcile(
      agentId: string,
      held: readonly { stepId: string; sizeBytes: number | null }[],
      times: { asOf: number; now: number },
    ): Promise<void> {
      const json = JSON.stringify(held.map((step) => ({ step_id: step.stepId, size_bytes: step.sizeBytes })));
      await sql.begin((tx) => [
        tx`delete from replicas where agent_id = ${agentId} and changed_at < ${times.asOf} and step_id not in (
             select step_id from jsonb_populate_recordset(null::replicas, ${json}::jsonb))`,
        tx`insert into replicas (step_id, agent_id, state, size_bytes, changed_at)
           select distinct on (h.step_id) h.step_id, ${agentId}, 'present', h.size_bytes, ${times.now}::bigint
           from jsonb_populate_recordset(null::replicas, ${json}::jsonb) h join steps s on s.id = h.step_id
           on conflict (step_id, agent_id) do update set size_bytes = coalesce(excluded.size_bytes, replicas.size_bytes)`,
      ]);
    },

    /** Those that no step is known by. */
    async unknown(ids: readonly string[]): Promise<string[]> {
      const rows = await sql<{ id: string }[]>`
        select h.id from unnest(${ids as string[]}::text[]) h(id) where not exists (select 1 from steps s where s.id = h.id)`;
      return rows.map((row) => row.id);
    },

    /** Notes steps that an agent holds, as it describes them: without their records, and of no build. What is known already stays. */
    async learn(agentId: string, found: readonly FoundStep[], now: number): Promise<void> {
      const steps = found.map(({ stepId, ...step }) => ({
        ...step,
        id: stepId,
        copiesFrom: [],
        hits: 0,
        firstBuiltAt: now,
        lastUsedAt: now,
      }));
      const held = found.map(({ stepId, sizeBytes }) => ({
        stepId,
        agentId,
        state: 'present',
        sizeBytes,
        changedAt: now,
      }));
      await sql.begin((tx) => [
        tx`insert into steps select * from jsonb_populate_recordset(null::steps, ${recordset(steps)}::jsonb)
           on conflict (id) do nothing`,
        tx`insert into replicas select * from jsonb_populate_recordset(null::replicas, ${recordset(held)}::jsonb)
           on conflict (step_id, agent_id) do nothing`,
      ]);
    },

    /** Notes that replicas shall go as soon as their agents are back. */
    async markToRemove(ids: readonly string[], agentIds: readonly string[], now: number): Promise<void> {
      await sql`update replicas set state = 'to-remove', changed_at = ${now}
        where step_id = any(${ids as string[]}) and agent_id = any(${agentIds as string[]})`;
    },

    /** What was deleted while the agent was away, children first. */
    async toRemove(agentId: string): Promise<string[]> {
      const rows = await sql<{ stepId: string }[]>`
        with recursive doomed as (
          select r.step_id, s.parent_id from replicas r join steps s on s.id = r.step_id
          where r.agent_id = ${agentId} and r.state = 'to-remove'
        ), depth as (
          select step_id, 0 as depth from doomed d where not exists (select 1 from doomed p where p.step_id = d.parent_id)
          union all
          select d.step_id, x.depth + 1 from doomed d join depth x on d.parent_id = x.step_id
        )
        select step_id from depth order by depth desc, step_id`;
      return rows.map((row) => row.stepId);
    },

    async removed(agentId: string, ids: readonly string[]): Promise<void> {
      await sql`delete from replicas where agent_id = ${agentId} and step_id = any(${ids as string[]})`;
    },

    /** The agent would not let go of them, mostly because a build uses them: they are there still. */
    async keep(agentId: string, ids: readonly string[], now: number): Promise<void> {
      await sql`update replicas set state = 'present', changed_at = ${now}
        where agent_id = ${agentId} and step_id = any(${ids as string[]})`;
    },
  };
}
