import type { Connection, Transaction } from '../connect.ts';
import type { attempts, builds, stepRuns } from '../schema/index.ts';
import { writeAudit, type AuditEntry } from './audit.ts';

export type BuildRow = typeof builds.$inferSelect;
export type NewBuild = Pick<
  BuildRow,
  | 'id'
  | 'title'
  | 'pool'
  | 'priority'
  | 'spec'
  | 'specHash'
  | 'context'
  | 'secretIds'
  | 'secretNames'
  | 'timeoutMs'
  | 'limits'
  | 'refresh'
  | 'warnings'
  | 'plan'
  | 'createdAt'
  | 'createdBy'
  | 'retryOf'
>;

/** A secret of a new build: a value, already sealed, or the name of one that the farm keeps. */
export interface NewBuildSecret {
  readonly id: string;
  readonly secretName: string | null;
  readonly sealed: Uint8Array | null;
}

export interface IdempotencyKey {
  readonly actor: string;
  readonly key: string;
  readonly bodyHash: string;
}

export type Creation =
  | { readonly kind: 'created' }
  /** The same request came before. */
  | { readonly kind: 'repeated'; readonly buildId: string }
  /** The key came before with another body. */
  | { readonly kind: 'key-reused' };

/** What a list shows of a build: no spec, and the steps of its latest attempt counted. */
export type BuildSummaryRow = Omit<
  BuildRow,
  'spec' | 'specHash' | 'plan' | 'warnings' | 'secretIds' | 'secretNames' | 'limits'
> & {
  readonly agentName: string | null;
  readonly agentId: string | null;
  readonly stepsTotal: number;
  readonly stepsHit: number;
  readonly stepsBuilt: number;
  readonly stepsFailed: number;
  readonly stepsRunning: number;
};

export type AttemptRow = typeof attempts.$inferSelect & { readonly agentName: string };
export type StepRunRow = typeof stepRuns.$inferSelect & {
  /** The log to read: of a hit, that of the step run that executed the step. */
  readonly logId: string | null;
  readonly logBytes: number;
};

export interface BuildDetailRow {
  readonly build: BuildRow;
  /** Oldest first. */
  readonly attempts: AttemptRow[];
  /** Of the latest attempt; where a position was begun again after a crash, only the newest run of it. */
  readonly stepRuns: StepRunRow[];
}

export interface BuildFilter {
  readonly state?: BuildRow['state'];
  readonly pool?: string;
  readonly search?: string;
  /** Only what comes after this one, newest first. */
  readonly after?: { readonly createdAt: number; readonly id: string };
  readonly limit: number;
}

export type CancelOutcome = 'unknown' | 'ended' | 'cancelled' | 'requested';

export type BuildsRepository = ReturnType<typeof buildsRepository>;

export function buildsRepository({ sql }: Connection) {
  return {
    /** The build, its secrets, its idempotency key and the audit row, all or nothing. */
    async create(
      build: NewBuild,
      extras: { secrets: readonly NewBuildSecret[]; idempotency?: IdempotencyKey; audit: AuditEntry },
    ): Promise<Creation> {
      return sql.begin(async (tx): Promise<Creation> => {
        const { idempotency } = extras;
        if (idempotency !== undefined) {
          const earlier = await claimKey(tx, idempotency, build);
          if (earlier !== undefined) {
            if (earlier.bodyHash !== idempotency.bodyHash) return { kind: 'key-reused' };
            return { kind: 'repeated', buildId: earlier.buildId };
          }
        }
        const statements: PromiseLike<unknown>[] = [
          tx`insert into builds (id, title, state, pool, priority, spec, spec_hash, context, secret_ids, secret_names, timeout_ms, limits,
               refresh, warnings, plan, created_at, created_by, retry_of)
             values (${build.id}, ${build.title}, 'queued', ${build.pool}, ${build.priority}, ${build.spec}, ${build.specHash},
               ${build.context}, ${JSON.stringify(build.secretIds)}::jsonb, ${JSON.stringify(build.secretNames)}::jsonb, ${build.timeoutMs}, ${JSON.stringify(build.limits)}::jsonb,
               ${build.refresh}, ${JSON.stringify(build.warnings)}::jsonb, ${JSON.stringify(build.plan)}::jsonb,
               ${build.createdAt}, ${build.createdBy}, ${build.retryOf})`,
          ...extras.secrets.map(
            (secret) => tx`insert into build_secrets (build_id, id, secret_name, sealed)
                           values (${build.id}, ${secret.id}, ${secret.secretName}, ${secret.sealed as Buffer | null})`,
          ),
          writeAudit(tx, extras.audit),
        ];
        await Promise.all(statements);
        return { kind: 'created' };
      });
    },

    async get(id: string): Promise<BuildRow | undefined> {
      const [row] = await sql<BuildRow[]>`select * from builds where id = ${id}`;
      return row;
    },

    async detail(id: string): Promise<BuildDetailRow | undefined> {
      const [[build], attemptRows, runs] = await sql.begin('isolation level repeatable read read only', (tx) => [
        tx<BuildRow[]>`select * from builds where id = ${id}`,
        tx<AttemptRow[]>`select t.*, coalesce(a.name, t.agent_id) as agent_name
          from attempts t left join agents a on a.id = t.agent_id where t.build_id = ${id} order by t.fence`,
        tx<StepRunRow[]>`select distinct on (r.position) r.*,
            case when r.state = 'hit' then s.log_id else r.id end as log_id,
            coalesce(l.size_bytes, 0) as log_bytes
          from step_runs r
          left join steps s on s.id = r.step_id
          left join logs l on l.id = case when r.state = 'hit' then s.log_id else r.id end
          where r.attempt_id = (select id from attempts where build_id = ${id} order by fence desc limit 1)
          order by r.position, r.started_at desc, r.id desc`,
      ]);
      return build === undefined ? undefined : { build, attempts: [...attemptRows], stepRuns: [...runs] };
    },

    /** Newest first. */
    async list(filter: BuildFilter): Promise<BuildSummaryRow[]> {
      const pattern = filter.search === undefined ? '' : `%${filter.search.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
      return sql<BuildSummaryRow[]>`${summary(sql)}
        where true
          ${filter.state === undefined ? sql`` : sql`and b.state = ${filter.state}`}
          ${filter.pool === undefined ? sql`` : sql`and b.pool = ${filter.pool}`}
          ${filter.search === undefined ? sql`` : sql`and (b.title ilike ${pattern} or b.id = ${filter.search} or b.spec ilike ${pattern})`}
          ${filter.after === undefined ? sql`` : sql`and (b.created_at, b.id) < (${filter.after.createdAt}, ${filter.after.id})`}
        order by b.created_at desc, b.id desc limit ${filter.limit}`;
    },

    async summary(id: string): Promise<BuildSummaryRow | undefined> {
      const [row] = await sql<BuildSummaryRow[]>`${summary(sql)} where b.id = ${id}`;
      return row;
    },

    /** A build that nobody works on is cancelled at once; of another the wish is noted, for its agent to act upon. */
    async cancel(id: string, now: number, audit: AuditEntry): Promise<CancelOutcome> {
      return sql.begin(async (tx): Promise<CancelOutcome> => {
        const [build] = await tx<Pick<BuildRow, 'state' | 'liveAttempt'>[]>`
          select state, live_attempt from builds where id = ${id} for update`;
        if (build === undefined) return 'unknown';
        if (build.state !== 'queued' && build.state !== 'running') return 'ended';
        await tx`update builds set cancel_requested_at = coalesce(cancel_requested_at, ${now}) where id = ${id}`;
        await writeAudit(tx, audit);
        if (build.liveAttempt !== null) return 'requested';
        await tx`update builds set state = 'cancelled', ended_at = ${now} where id = ${id}`;
        await tx`delete from build_secrets where build_id = ${id}`;
        return 'cancelled';
      });
    },

    async secrets(id: string): Promise<NewBuildSecret[]> {
      return sql<NewBuildSecret[]>`select id, secret_name, sealed from build_secrets where build_id = ${id}`;
    },

    /** Builds that wait for an agent: what there should be a wake-up for. */
    async waiting(): Promise<Pick<BuildRow, 'id' | 'pool' | 'priority'>[]> {
      return sql<Pick<BuildRow, 'id' | 'pool' | 'priority'>[]>`
        select id, pool, priority from builds where state = 'queued' and live_attempt is null
        order by priority desc, created_at limit 5000`;
    },

    /** The build that the pool's next claim would take. */
    async next(pool: string): Promise<Pick<BuildRow, 'id' | 'specHash' | 'plan'> | undefined> {
      const [row] = await sql<Pick<BuildRow, 'id' | 'specHash' | 'plan'>[]>`
        select id, spec_hash, plan from builds
        where pool = ${pool} and state = 'queued' and live_attempt is null and cancel_requested_at is null
        order by priority desc, created_at, id limit 1`;
      return row;
    },

    async queuedIn(pool: string): Promise<string[]> {
      const rows = await sql<{ id: string }[]>`
        select id from builds where pool = ${pool} and state = 'queued' order by priority desc, created_at limit 200`;
      return rows.map((row) => row.id);
    },

    /** How many builds wait for an agent, by pool. */
    async countWaiting(): Promise<Map<string, number>> {
      const rows = await sql<{ pool: string; count: number }[]>`
        select pool, count(*) as count from builds where state = 'queued' group by pool`;
      return new Map(rows.map((row) => [row.pool, row.count]));
    },

    async countByState(): Promise<Map<BuildRow['state'], number>> {
      const rows = await sql<{ state: BuildRow['state']; count: number }[]>`
        select state, count(*) as count from builds group by state`;
      return new Map(rows.map((row) => [row.state, row.count]));
    },
  };
}

function summary(sql: Connection['sql']) {
  return sql`select b.id, b.title, b.state, b.pool, b.priority, b.context, b.timeout_ms, b.refresh, b.created_at, b.created_by,
      b.started_at, b.ended_at, b.cancel_requested_at, b.error, b.result, b.retry_of, b.fence, b.live_attempt,
      jsonb_array_length(b.plan) as steps_total, t.agent_id, a.name as agent_name,
      coalesce(c.hit, 0) as steps_hit, coalesce(c.built, 0) as steps_built, coalesce(c.failed, 0) as steps_failed,
      coalesce(c.running, 0) as steps_running
    from builds b
    left join lateral (select id, agent_id from attempts where build_id = b.id order by fence desc limit 1) t on true
    left join agents a on a.id = t.agent_id
    left join lateral (
      select count(*) filter (where state in ('hit', 'shared')) as hit, count(*) filter (where state = 'built') as built,
             count(*) filter (where state = 'failed') as failed, count(*) filter (where state = 'running') as running
      from step_runs where attempt_id = t.id) c on true`;
}

async function claimKey(
  tx: Transaction,
  { actor, key, bodyHash }: IdempotencyKey,
  build: NewBuild,
): Promise<{ bodyHash: string; buildId: string } | undefined> {
  // Waits for a request with the same key that is under way, and then sees what it did.
  const taken = await tx`insert into idempotency_keys (actor, key, body_hash, build_id, created_at)
    values (${actor}, ${key}, ${bodyHash}, ${build.id}, ${build.createdAt}) on conflict do nothing returning 1`;
  if (taken.length > 0) return undefined;
  const [earlier] = await tx<{ bodyHash: string; buildId: string }[]>`
    select body_hash, build_id from idempotency_keys where actor = ${actor} and key = ${key}`;
  return earlier;
}
