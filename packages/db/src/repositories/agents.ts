import type { Connection } from '../connect.ts';
import type { AgentFactsJson, DoctorReportJson } from '../schema/json.ts';
import type { agents, enrolmentTokens } from '../schema/index.ts';
import { writeAudit, type AuditEntry } from './audit.ts';

export type AgentRow = typeof agents.$inferSelect;
export type AgentDetailRow = Omit<AgentRow, 'credentialHash'> & {
  readonly snapshots: number;
  readonly snapshotBytes: number;
  /** Of its doctor's last report. */
  readonly doctor: { at: number; problems: number; warnings: number } | null;
  readonly running: { buildId: string; title: string | null; position: string | null; startedAt: number }[];
};
export type NewEnrolmentToken = Omit<typeof enrolmentTokens.$inferInsert, 'usedAt' | 'agentId'>;

export type EnrolmentTokenRow = Pick<
  typeof enrolmentTokens.$inferSelect,
  'id' | 'pool' | 'expiresAt' | 'usedAt' | 'agentId'
>;

/** See `usefulSnapshots`. */
export interface UsefulSnapshots {
  readonly same: number;
  readonly similarMs: number;
}

export type AgentsRepository = ReturnType<typeof agentsRepository>;

export function agentsRepository({ sql }: Connection) {
  const detail = sql`select a.id, a.name, a.pool, a.slots, a.capacity, a.draining, a.quarantine_reason, a.revoked_at, a.facts, a.boot_id,
      a.link_id, a.enrolled_at, a.last_seen_at, r.snapshots, r.snapshot_bytes, l.running,
      (select jsonb_build_object('at', d.at, 'problems', d.problems, 'warnings', d.warnings) from doctor_reports d where d.agent_id = a.id) as doctor
    from agents a
    cross join lateral (select count(*) as snapshots, coalesce(sum(size_bytes), 0)::bigint as snapshot_bytes
      from replicas where agent_id = a.id and state = 'present') r
    cross join lateral (select coalesce(jsonb_agg(jsonb_build_object('buildId', b.id, 'title', b.title,
        'startedAt', coalesce(t.started_at, t.offered_at),
        'position', (select s.position from step_runs s where s.attempt_id = t.id and s.state = 'running'
                     order by s.started_at desc limit 1)) order by t.offered_at), '[]') as running
      from attempts t join builds b on b.id = t.build_id
      where t.agent_id = a.id and t.state in ('offered', 'running')) l`;
  return {
    async ensurePool(name: string, now: number): Promise<void> {
      await sql`insert into pools (name, created_at) values (${name}, ${now}) on conflict do nothing`;
    },

    async pools(): Promise<string[]> {
      return (await sql<{ name: string }[]>`select name from pools order by name`).map((row) => row.name);
    },

    async createEnrolmentToken(token: NewEnrolmentToken, audit: AuditEntry): Promise<void> {
      await sql.begin((tx) => [
        tx`insert into pools (name, created_at) values (${token.pool}, ${token.createdAt}) on conflict do nothing`,
        tx`insert into enrolment_tokens (id, hash, pool, created_by, created_at, expires_at)
           values (${token.id}, ${token.hash}, ${token.pool}, ${token.createdBy}, ${token.createdAt}, ${token.expiresAt})`,
        writeAudit(tx, audit) as never,
      ]);
    },

    /** What became of a token. */
    async enrolmentToken(id: string): Promise<EnrolmentTokenRow | undefined> {
      const [row] = await sql<EnrolmentTokenRow[]>`
        select id, pool, expires_at, used_at, agent_id from enrolment_tokens where id = ${id}`;
      return row;
    },

    /** Turns a token into an agent. The pool, or undefined when the token is unknown, was used or has expired. */
    async enrol(
      agent: { id: string; name: string; credentialHash: string; slots: number | null },
      tokenHash: string,
      audit: AuditEntry,
    ): Promise<string | undefined> {
      return sql.begin(async (tx) => {
        const [token] = await tx<{ pool: string }[]>`
          update enrolment_tokens set used_at = ${audit.at}, agent_id = ${agent.id}
          where hash = ${tokenHash} and used_at is null and expires_at > ${audit.at} returning pool`;
        if (token === undefined) return undefined;
        await tx`insert into agents (id, name, pool, credential_hash, slots, enrolled_at)
          values (${agent.id}, ${agent.name}, ${token.pool}, ${agent.credentialHash}, ${agent.slots}, ${audit.at})`;
        await writeAudit(tx, audit);
        return token.pool;
      });
    },

    /** The agent of a credential, revoked or not. */
    async byCredential(hash: string): Promise<AgentRow | undefined> {
      const [row] = await sql<AgentRow[]>`select * from agents where credential_hash = ${hash}`;
      return row;
    },

    async list(): Promise<AgentDetailRow[]> {
      return sql<AgentDetailRow[]>`${detail} order by a.revoked_at nulls first, a.pool, a.name, a.id`;
    },

    async get(id: string): Promise<AgentDetailRow | undefined> {
      const [row] = await sql<AgentDetailRow[]>`${detail} where a.id = ${id}`;
      return row;
    },

    /** Notes a link. An agent that was quarantined by itself comes back healthy with a new start. */
    async connected(
      id: string,
      hello: { linkId: string; bootId: string; facts: AgentFactsJson; capacity: number; now: number },
    ): Promise<AgentRow | undefined> {
      const [row] = await sql<AgentRow[]>`
        update agents set link_id = ${hello.linkId}, capacity = ${hello.capacity}, facts = ${JSON.stringify(hello.facts)}::jsonb, last_seen_at = ${hello.now},
          quarantine_reason = case when boot_id is distinct from ${hello.bootId} then null else quarantine_reason end,
          boot_id = ${hello.bootId}
        where id = ${id} and revoked_at is null returning *`;
      return row;
    },

    async seen(id: string, facts: AgentFactsJson, now: number): Promise<void> {
      await sql`update agents set last_seen_at = ${now}, facts = ${JSON.stringify(facts)}::jsonb where id = ${id}`;
    },

    /** Keeps a report in place of the one before. */
    async saveDoctorReport(id: string, report: DoctorReportJson): Promise<void> {
      const count = (status: string): number => report.findings.filter((finding) => finding.status === status).length;
      await sql`insert into doctor_reports (agent_id, at, problems, warnings, report)
        values (${id}, ${report.at}, ${count('problem')}, ${count('warning')}, ${JSON.stringify(report)}::jsonb)
        on conflict (agent_id) do update set at = excluded.at, problems = excluded.problems,
          warnings = excluded.warnings, report = excluded.report`;
    },

    async doctorReport(id: string): Promise<DoctorReportJson | undefined> {
      const [row] = await sql<{ report: DoctorReportJson }[]>`select report from doctor_reports where agent_id = ${id}`;
      return row?.report;
    },

    /** Notes that a link is gone, unless the agent has a newer one. */
    async disconnected(id: string, linkId: string): Promise<void> {
      await sql`update agents set link_id = null where id = ${id} and link_id = ${linkId}`;
    },

    async quarantine(id: string, reason: string, audit: AuditEntry): Promise<void> {
      await sql.begin((tx) => [
        tx`update agents set quarantine_reason = ${reason} where id = ${id}`,
        writeAudit(tx, audit) as never,
      ]);
    },

    async update(id: string, change: { draining?: boolean; slots?: number }, audit: AuditEntry): Promise<boolean> {
      return sql.begin(async (tx) => {
        const rows = await tx`update agents set draining = coalesce(${change.draining ?? null}, draining),
          slots = coalesce(${change.slots ?? null}, slots) where id = ${id} returning 1`;
        if (rows.length > 0) await writeAudit(tx, audit);
        return rows.length > 0;
      });
    },

    /** From now on its credential is worth nothing. */
    async revoke(id: string, audit: AuditEntry): Promise<boolean> {
      return sql.begin(async (tx) => {
        const rows = await tx`update agents set revoked_at = coalesce(revoked_at, ${audit.at}), link_id = null
          where id = ${id} returning 1`;
        if (rows.length > 0) {
          await tx`delete from replicas where agent_id = ${id}`;
          await writeAudit(tx, audit);
        }
        return rows.length > 0;
      });
    },

    /**
     * What agents have that a build is likely to want: `same` counts the snapshots that the last builds of the very same spec
     * used; `similarMs` is what it once cost to make what they have of the build's ops, whatever those stood on.
     */
    async usefulSnapshots(
      build: { specHash: string; ops: readonly string[] },
      agentIds: readonly string[],
    ): Promise<Map<string, UsefulSnapshots>> {
      const rows = await sql<({ agentId: string } & UsefulSnapshots)[]>`
        with used as (
          select distinct r.step_id from step_runs r where r.step_id is not null and r.attempt_id in (
            select t.id from attempts t where t.build_id in (
              select id from builds where spec_hash = ${build.specHash} order by created_at desc limit 3))
        ), held as (
          select p.agent_id, s.op, count(u.step_id) as same, max(coalesce(s.duration_ms, 0)) + 1 as cost_ms
          from steps s join replicas p on p.step_id = s.id left join used u on u.step_id = s.id
          where (s.op = any(${build.ops as string[]}) or s.id in (select step_id from used))
            and p.state = 'present' and p.agent_id = any(${agentIds as string[]})
          group by p.agent_id, s.op
        )
        select agent_id, sum(same)::int as same, sum(cost_ms)::float8 as similar_ms from held group by agent_id`;
      return new Map(rows.map(({ agentId, same, similarMs }) => [agentId, { same, similarMs }]));
    },
  };
}
