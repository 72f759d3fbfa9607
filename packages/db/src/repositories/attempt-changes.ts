import { recordset, type Transaction } from '../connect.ts';
import type { ErrorJson, PhaseTimeJson, StepExitJson, StepKindText } from '../schema/json.ts';
import type { stepRuns } from '../schema/index.ts';

/** A step run as some records leave it. Null where the records said nothing: what is stored stays. */
export interface StepRunChange {
  readonly id: string;
  readonly position: string;
  readonly kind: StepKindText;
  readonly state: (typeof stepRuns.$inferSelect)['state'];
  /** Its start is among the records. */
  readonly isNew: boolean;
  readonly stepId: string | null;
  readonly parentId: string | null;
  readonly phase: string | null;
  readonly currentBytes: number | null;
  readonly totalBytes: number | null;
  readonly startedAt: number;
  readonly endedAt: number | null;
  readonly durationMs: number | null;
  readonly sizeBytes: number | null;
  readonly exit: StepExitJson | null;
  readonly error: ErrorJson | null;
  readonly phaseStartedAt: number | null;
  readonly phases: readonly PhaseTimeJson[] | null;
}

/** Progress of a step run that began in earlier records. */
export interface ProgressChange {
  readonly position: string;
  readonly phase: string;
  readonly phaseStartedAt: number | null;
  readonly currentBytes: number | null;
  readonly totalBytes: number | null;
}

export interface LogChange {
  readonly id: string;
  readonly sizeBytes: number;
  readonly endedAt: number | null;
}

/** A step whose snapshot the agent has. */
export interface StepChange {
  readonly id: string;
  readonly parentId: string | null;
  readonly kind: StepKindText;
  readonly op: string;
  readonly platform: string;
  readonly record: unknown;
  readonly copiesFrom: readonly string[];
  readonly sizeBytes: number | null;
  /** Only of a step that was executed. */
  readonly durationMs: number | null;
  readonly logId: string | null;
  readonly hits: number;
  readonly at: number;
}

export interface BaseImageChange {
  readonly name: string;
  readonly platform: string;
  readonly digest: string;
  readonly resolvedAt: number;
}

export interface AttemptChanges {
  readonly stepRuns: readonly StepRunChange[];
  readonly progress: readonly ProgressChange[];
  readonly logs: readonly LogChange[];
  /** Each id once. */
  readonly steps: readonly StepChange[];
  readonly baseImages: readonly BaseImageChange[];
  readonly ended?: {
    readonly outcome: 'succeeded' | 'failed' | 'cancelled';
    readonly at: number;
    readonly result: string | null;
    readonly error: ErrorJson | null;
  };
}

interface Owner {
  readonly attemptId: string;
  readonly agentId: string;
  readonly buildId: string;
}

/** The statements that store changes; sent together, run in order. The caller holds the attempt's row. */
export function writeChanges(
  tx: Transaction,
  owner: Owner,
  changes: AttemptChanges,
  now: number,
): PromiseLike<unknown>[] {
  const statements: PromiseLike<unknown>[] = [];
  if (changes.stepRuns.length > 0) statements.push(...writeStepRuns(tx, owner, changes.stepRuns, now));
  if (changes.progress.length > 0) {
    statements.push(tx`update step_runs r set phase = p.phase, phase_started_at = p.phase_started_at, current_bytes = p.current_bytes, total_bytes = p.total_bytes
      from jsonb_populate_recordset(null::step_runs, ${recordset(changes.progress)}::jsonb) p
      where r.attempt_id = ${owner.attemptId} and r.position = p.position and r.state = 'running'`);
  }
  if (changes.logs.length > 0) {
    const rows = changes.logs.map((log) => ({ ...log, buildId: owner.buildId }));
    statements.push(tx`insert into logs select * from jsonb_populate_recordset(null::logs, ${recordset(rows)}::jsonb)
      on conflict (id) do update set size_bytes = greatest(logs.size_bytes, excluded.size_bytes),
        ended_at = coalesce(logs.ended_at, excluded.ended_at)
      where logs.build_id = excluded.build_id`);
  }
  if (changes.steps.length > 0) statements.push(...writeSteps(tx, owner, changes.steps, now));
  if (changes.baseImages.length > 0) {
    statements.push(tx`insert into base_images
      select * from jsonb_populate_recordset(null::base_images, ${recordset(changes.baseImages)}::jsonb)
      on conflict (name, platform) do update set digest = excluded.digest, resolved_at = excluded.resolved_at
      where base_images.resolved_at < excluded.resolved_at`);
  }
  if (changes.ended !== undefined) statements.push(...writeEnd(tx, owner, changes.ended, now));
  return statements;
}

function writeStepRuns(
  tx: Transaction,
  owner: Owner,
  changes: readonly StepRunChange[],
  now: number,
): PromiseLike<unknown>[] {
  const begun = changes.filter((run) => run.isNew);
  const statements: PromiseLike<unknown>[] = [];
  if (begun.length > 0) {
    // An agent that was killed begins its unfinished step again, as a new run: the old one is over.
    const positions = begun.map((run) => run.position);
    const ids = begun.map((run) => run.id);
    statements.push(tx`with over as (
        update step_runs set state = 'cancelled', ended_at = ${now}
        where attempt_id = ${owner.attemptId} and state = 'running' and position = any(${positions}) and id <> all(${ids})
        returning id)
      update logs set ended_at = ${now} from over where logs.id = over.id and logs.ended_at is null`);
  }
  const rows = changes.map(({ isNew: _, ...run }) => ({ ...run, attemptId: owner.attemptId, buildId: owner.buildId }));
  statements.push(tx`insert into step_runs
    select * from jsonb_populate_recordset(null::step_runs, ${recordset(rows)}::jsonb)
    on conflict (id) do update set state = excluded.state,
      step_id = coalesce(excluded.step_id, step_runs.step_id), parent_id = coalesce(excluded.parent_id, step_runs.parent_id),
      phase = coalesce(excluded.phase, step_runs.phase),
      phase_started_at = coalesce(excluded.phase_started_at, step_runs.phase_started_at),
      phases = coalesce(excluded.phases, step_runs.phases),
      current_bytes = coalesce(excluded.current_bytes, step_runs.current_bytes),
      total_bytes = coalesce(excluded.total_bytes, step_runs.total_bytes),
      ended_at = excluded.ended_at, duration_ms = excluded.duration_ms, size_bytes = excluded.size_bytes,
      exit = excluded.exit, error = excluded.error
    where step_runs.attempt_id = excluded.attempt_id`);
  return statements;
}

function writeSteps(
  tx: Transaction,
  owner: Owner,
  changes: readonly StepChange[],
  now: number,
): PromiseLike<unknown>[] {
  // In one order everywhere, so that builds with the same steps wait for each other and never deadlock.
  const sorted = changes.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const steps = sorted.map(({ at, ...step }) => ({
    ...step,
    firstBuiltAt: at,
    firstBuildId: owner.buildId,
    lastUsedAt: at,
  }));
  const replicas = sorted.map((step) => ({
    stepId: step.id,
    agentId: owner.agentId,
    state: 'present',
    sizeBytes: step.sizeBytes,
    lastUsedAt: step.at,
    changedAt: now,
  }));
  return [
    tx`insert into steps select * from jsonb_populate_recordset(null::steps, ${recordset(steps)}::jsonb)
      on conflict (id) do update set last_used_at = greatest(steps.last_used_at, excluded.last_used_at),
        hits = steps.hits + excluded.hits, record = coalesce(steps.record, excluded.record),
        copies_from = case when cardinality(steps.copies_from) = 0 then excluded.copies_from else steps.copies_from end,
        size_bytes = coalesce(excluded.size_bytes, steps.size_bytes),
        duration_ms = coalesce(excluded.duration_ms, steps.duration_ms), log_id = coalesce(excluded.log_id, steps.log_id)`,
    tx`insert into replicas select * from jsonb_populate_recordset(null::replicas, ${recordset(replicas)}::jsonb)
      on conflict (step_id, agent_id) do update set state = 'present', changed_at = excluded.changed_at,
        last_used_at = greatest(replicas.last_used_at, excluded.last_used_at),
        size_bytes = coalesce(excluded.size_bytes, replicas.size_bytes)`,
  ];
}

function writeEnd(
  tx: Transaction,
  owner: Owner,
  ended: NonNullable<AttemptChanges['ended']>,
  now: number,
): PromiseLike<unknown>[] {
  const error = ended.error === null ? null : JSON.stringify(ended.error);
  return [
    tx`update attempts set state = ${ended.outcome}, ended_at = ${ended.at} where id = ${owner.attemptId}`,
    tx`update builds set state = ${ended.outcome}, ended_at = ${ended.at}, result = ${ended.result},
         error = ${error}::jsonb, live_attempt = null
       where id = ${owner.buildId}`,
    tx`with over as (
        update step_runs set state = 'cancelled', ended_at = ${now}
        where attempt_id = ${owner.attemptId} and state = 'running' returning id)
      update logs set ended_at = ${now} from over where logs.id = over.id and logs.ended_at is null`,
    tx`delete from build_secrets where build_id = ${owner.buildId}`,
  ];
}
