import { isConflict, type Connection, type Transaction } from '../connect.ts';
import type { ErrorJson } from '../schema/json.ts';
import type { BuildRow } from './builds.ts';
import { writeChanges, type AttemptChanges } from './attempt-changes.ts';

/** A build with the right to work on it, for the agent that it is now offered to. */
export type ClaimedBuild = Pick<
  BuildRow,
  'id' | 'pool' | 'spec' | 'context' | 'secretIds' | 'timeoutMs' | 'limits' | 'refresh' | 'plan'
> & { readonly attemptId: string; readonly fence: number };

/** Who writes: all three must be those of a live attempt. */
export interface Writer {
  readonly attemptId: string;
  readonly agentId: string;
  readonly fence: number;
}

export type Applied =
  | { readonly kind: 'applied'; readonly buildId: string; readonly ended: boolean; readonly began: boolean }
  /** The records do not follow the stored ones: this is where those stand. */
  | { readonly kind: 'elsewhere'; readonly ackedSeq: number }
  /** No right to write. An attempt that ended in the proper way and has it all is `elsewhere`, so that it gets its ack. */
  | { readonly kind: 'stale' };

export interface LiveAttempt {
  readonly id: string;
  readonly buildId: string;
  readonly agentId: string;
  readonly fence: number;
  readonly state: 'offered' | 'running';
  readonly ackedSeq: number;
  readonly cancelRequested: boolean;
}

/** What became of a build whose attempt was lost. */
export interface ReleasedBuild {
  readonly buildId: string;
  readonly pool: string;
  readonly state: BuildRow['state'];
}

export interface Losses {
  readonly builds: ReleasedBuild[];
  /** Logs that nothing will be added to any more. */
  readonly endedLogs: string[];
}

export type AttemptsRepository = ReturnType<typeof attemptsRepository>;

/**
 * The life of attempts: `offered → running → succeeded | failed | cancelled | lost`, or an offer withdrawn and forgotten.
 * A build has one live attempt (offered or running) at most. Each has a fence above all earlier ones of its build, and
 * each write on its behalf is checked against it under a lock of its row: an attempt that is not live writes nothing.
 */
export function attemptsRepository({ sql }: Connection) {
  return {
    /** Gives the next queued build of the pool to an agent; undefined when none waits. */
    async claim(claim: {
      pool: string;
      agentId: string;
      attemptId: string;
      now: number;
    }): Promise<ClaimedBuild | undefined> {
      try {
        const [row] = await sql<ClaimedBuild[]>`
          with next as (
            select id from builds
            where pool = ${claim.pool} and state = 'queued' and live_attempt is null and cancel_requested_at is null
            order by priority desc, created_at, id limit 1 for update skip locked
          ), claimed as (
            update builds b set fence = fence + 1, live_attempt = ${claim.attemptId} from next where b.id = next.id
            returning b.*
          ), attempt as (
            insert into attempts (id, build_id, number, fence, agent_id, state, offered_at)
            select ${claim.attemptId}, c.id, 1 + (select count(*) from attempts t where t.build_id = c.id), c.fence,
                   ${claim.agentId}, 'offered', ${claim.now}
            from claimed c
          )
          select id, pool, spec, context, secret_ids, timeout_ms, limits, refresh, plan, fence,
                 live_attempt as attempt_id
          from claimed`;
        return row;
      } catch (error) {
        // The index that allows one live attempt had the last word: somebody else was quicker.
        if (isConflict(error)) return undefined;
        throw error;
      }
    },

    /** The agent took the offer. False when the right to it is gone. */
    async accept(writer: Writer, now: number): Promise<boolean> {
      const taken = await sql`
        with taken as (
          update attempts set state = 'running', started_at = ${now}
          where id = ${writer.attemptId} and agent_id = ${writer.agentId} and fence = ${writer.fence} and state = 'offered'
          returning build_id
        )
        update builds b set state = 'running', started_at = coalesce(b.started_at, ${now}) from taken
        where b.id = taken.build_id returning 1`;
      if (taken.length > 0) return true;
      // Its first records may have been quicker: storing them was taking the offer, too. Only a statement that begins now
      // is certain to see that.
      const rows = await sql`
        select 1 from attempts
        where id = ${writer.attemptId} and agent_id = ${writer.agentId} and fence = ${writer.fence}
          and state not in ('offered', 'lost')`;
      return rows.length > 0;
    },

    /** An offer that nobody took: the build waits again, and the attempt never was. Undefined when it is no mere offer. */
    async withdraw(attemptId: string, now: number): Promise<ReleasedBuild | undefined> {
      return sql.begin(async (tx) => {
        const [attempt] = await tx<{ buildId: string }[]>`
          delete from attempts where id = ${attemptId} and state = 'offered' returning build_id`;
        if (attempt === undefined) return undefined;
        const [build] = await release(tx, [attempt.buildId], now);
        return build;
      });
    },

    /**
     * Stores records and what follows from them, in one transaction with the fence's check and the new `ackedSeq`.
     * `changes` must be what the records after `expectedSeq`, up to and with `lastSeq`, amount to.
     */
    async apply(
      writer: Writer,
      records: { expectedSeq: number; lastSeq: number; changes: AttemptChanges },
      now: number,
    ): Promise<Applied> {
      return sql.begin(async (tx): Promise<Applied> => {
        const [held] = await tx<{ buildId: string; state: string; ackedSeq: number }[]>`
          select build_id, state, acked_seq from attempts
          where id = ${writer.attemptId} and agent_id = ${writer.agentId} and fence = ${writer.fence} for update`;
        if (held === undefined || held.state === 'lost') return { kind: 'stale' };
        if (held.ackedSeq !== records.expectedSeq) return { kind: 'elsewhere', ackedSeq: held.ackedSeq };
        if (held.state !== 'offered' && held.state !== 'running') return { kind: 'stale' };
        const began = held.state === 'offered';
        const statements: PromiseLike<unknown>[] = [
          tx`update attempts set acked_seq = ${records.lastSeq}, state = 'running', started_at = coalesce(started_at, ${now})
             where id = ${writer.attemptId}`,
        ];
        if (began) {
          statements.push(tx`update builds set state = 'running', started_at = coalesce(started_at, ${now})
                             where id = ${held.buildId}`);
        }
        statements.push(...writeChanges(tx, { ...writer, buildId: held.buildId }, records.changes, now));
        await Promise.all(statements);
        return { kind: 'applied', buildId: held.buildId, ended: records.changes.ended !== undefined, began };
      });
    },

    /**
     * Takes the right to write from attempts that are live. Their builds wait again, or end: cancelled when somebody wished
     * that, failed with `limit.error` when `limit.maxAttempts` of them were lost.
     */
    async lose(
      attemptIds: readonly string[],
      now: number,
      limit: { maxAttempts: number; error: ErrorJson },
    ): Promise<Losses> {
      if (attemptIds.length === 0) return { builds: [], endedLogs: [] };
      return sql.begin(async (tx) => {
        const lost = await tx<{ id: string; buildId: string }[]>`
          update attempts set state = 'lost', ended_at = ${now}
          where id = any(${attemptIds as string[]}) and state in ('offered', 'running') returning id, build_id`;
        if (lost.length === 0) return { builds: [], endedLogs: [] };
        const ids = lost.map((row) => row.id);
        await tx`update logs set ended_at = ${now} where ended_at is null
                 and id in (select id from step_runs where attempt_id = any(${ids}))`;
        const stopped = await tx<{ id: string }[]>`
          update step_runs set state = 'cancelled', ended_at = ${now}
          where attempt_id = any(${ids}) and state = 'running' returning id`;
        const builds = await release(
          tx,
          lost.map((row) => row.buildId),
          now,
          limit,
        );
        return { builds, endedLogs: stopped.map((run) => run.id) };
      });
    },

    async live(filter: { agentId: string } | { attemptId: string } | { buildId: string }): Promise<LiveAttempt[]> {
      const condition =
        'agentId' in filter
          ? sql`t.agent_id = ${filter.agentId}`
          : 'attemptId' in filter
            ? sql`t.id = ${filter.attemptId}`
            : sql`t.build_id = ${filter.buildId}`;
      return sql<LiveAttempt[]>`
        select t.id, t.build_id, t.agent_id, t.fence, t.state, t.acked_seq, b.cancel_requested_at is not null as cancel_requested
        from attempts t join builds b on b.id = t.build_id
        where ${condition} and t.state in ('offered', 'running') order by t.offered_at`;
    },

    /** Where the attempts that an agent names stand; unknown ones are left out. */
    async standing(
      agentId: string,
      ids: readonly string[],
    ): Promise<{ id: string; fence: number; ackedSeq: number; live: boolean }[]> {
      return sql<{ id: string; fence: number; ackedSeq: number; live: boolean }[]>`
        select id, fence, acked_seq, state in ('offered', 'running') as live from attempts
        where agent_id = ${agentId} and id = any(${ids as string[]})`;
    },

    /** Offers made before then that nobody answered: the process that made them is gone. */
    async staleOffers(before: number): Promise<string[]> {
      const rows = await sql<
        { id: string }[]
      >`select id from attempts where state = 'offered' and offered_at < ${before}`;
      return rows.map((row) => row.id);
    },

    /** Live attempts whose agent was not seen since `before`. */
    async silentSince(before: number): Promise<LiveAttempt[]> {
      return sql<LiveAttempt[]>`
        select t.id, t.build_id, t.agent_id, t.fence, t.state, t.acked_seq, b.cancel_requested_at is not null as cancel_requested
        from attempts t join builds b on b.id = t.build_id left join agents a on a.id = t.agent_id
        where t.state in ('offered', 'running') and coalesce(a.last_seen_at, 0) < ${before}`;
    },
  };
}

async function release(
  tx: Transaction,
  buildIds: readonly string[],
  now: number,
  limit?: { maxAttempts: number; error: ErrorJson },
): Promise<ReleasedBuild[]> {
  const maxAttempts = limit?.maxAttempts ?? Number.MAX_SAFE_INTEGER;
  const error = limit === undefined ? null : JSON.stringify(limit.error);
  const released = await tx<ReleasedBuild[]>`
    update builds b set live_attempt = null, state = x.state,
      ended_at = case when x.state = 'queued' then null else ${now}::bigint end,
      error = case when x.state = 'failed' then ${error}::jsonb else b.error end
    from (
      select c.id, case
        when c.cancel_requested_at is not null then 'cancelled'
        when (select count(*) from attempts t where t.build_id = c.id and t.state = 'lost') >= ${maxAttempts} then 'failed'
        else 'queued' end as state
      from builds c where c.id = any(${buildIds as string[]}) and c.state in ('queued', 'running')
    ) x where b.id = x.id
    returning b.id as build_id, b.pool, b.state`;
  const ended = released.filter((build) => build.state !== 'queued').map((build) => build.buildId);
  if (ended.length > 0) await tx`delete from build_secrets where build_id = any(${ended})`;
  return [...released];
}
