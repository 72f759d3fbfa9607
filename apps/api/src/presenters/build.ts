import { LoamError } from '@loam/base';
import type { Attempt, Build, BuildSummary, Step } from '@loam/contracts';
import type { AttemptRow, BuildDetailRow, BuildRow, BuildSummaryRow, PlannedStepJson, StepRunRow } from '@loam/db';

type ErrorBody = NonNullable<BuildSummary['error']>;

/** A build as its page shows it. `waiting` says why it is not running yet. */
export function presentBuild({ build, attempts, stepRuns }: BuildDetailRow, waiting: string | null): Build {
  const latest = attempts.at(-1);
  const byPosition = new Map(stepRuns.map((run) => [run.position, run]));
  const steps = build.plan.map((planned) => presentStep(build, planned, byPosition.get(planned.position)));
  const count = (...states: Step['state'][]): number => steps.filter((step) => states.includes(step.state)).length;
  return {
    id: build.id,
    title: build.title,
    state: build.state,
    pool: build.pool,
    priority: build.priority,
    createdAt: build.createdAt,
    startedAt: build.startedAt,
    endedAt: build.endedAt,
    createdBy: build.createdBy,
    agentName: latest?.agentName ?? null,
    steps: {
      total: steps.length,
      hit: count('hit', 'shared'),
      built: count('built'),
      failed: count('failed'),
      running: count('running'),
    },
    error: errorBody(build.error),
    waiting: build.state === 'queued' ? waiting : null,
    cancelRequested: build.cancelRequestedAt !== null,
    retryOf: build.retryOf,
    spec: build.spec,
    context: build.context,
    secretIds: build.secretIds,
    timeoutMs: build.timeoutMs,
    limits: build.limits,
    refresh: build.refresh,
    warnings: build.warnings as Build['warnings'],
    attempts: attempts.map(presentAttempt),
    stepRuns: steps,
    result: build.result,
  };
}

export function presentSummary(row: BuildSummaryRow, waiting: string | null): BuildSummary {
  return {
    id: row.id,
    title: row.title,
    state: row.state,
    pool: row.pool,
    priority: row.priority,
    createdAt: row.createdAt,
    startedAt: row.startedAt,
    endedAt: row.endedAt,
    createdBy: row.createdBy,
    agentName: row.agentName,
    steps: {
      total: row.stepsTotal,
      hit: row.stepsHit,
      built: row.stepsBuilt,
      failed: row.stepsFailed,
      running: row.stepsRunning,
    },
    error: errorBody(row.error),
    waiting: row.state === 'queued' ? waiting : null,
    cancelRequested: row.cancelRequestedAt !== null,
    retryOf: row.retryOf,
  };
}

function presentAttempt(row: AttemptRow): Attempt {
  return {
    id: row.id,
    number: row.number,
    fence: row.fence,
    agentId: row.agentId,
    agentName: row.agentName,
    state: row.state,
    startedAt: row.startedAt ?? row.offeredAt,
    endedAt: row.endedAt,
  };
}

function presentStep(build: BuildRow, planned: PlannedStepJson, run: StepRunRow | undefined): Step {
  const isOver = build.state !== 'queued' && build.state !== 'running';
  return {
    position: planned.position,
    stage: planned.stage,
    kind: planned.kind,
    op: planned.op,
    // A nested build that nothing needed, or what stood behind a failure, was never begun.
    state: run?.state ?? (isOver ? 'skipped' : 'pending'),
    id: run?.id ?? null,
    stepId: run?.stepId ?? null,
    parentId: run?.parentId ?? null,
    phase: run?.phase ?? null,
    phaseStartedAt: run?.phaseStartedAt ?? null,
    currentBytes: run?.currentBytes ?? null,
    totalBytes: run?.totalBytes ?? null,
    startedAt: run?.startedAt ?? null,
    endedAt: run?.endedAt ?? null,
    durationMs: run?.durationMs ?? null,
    phases: run?.phases ?? null,
    sizeBytes: run?.sizeBytes ?? null,
    logId: run?.logId ?? null,
    logBytes: run?.logBytes ?? 0,
    exit: run?.exit ?? null,
    error: errorBody(run?.error ?? null),
  };
}

/** Errors that came from an agent: a code that this API does not know keeps its message. */
function errorBody(error: { code: string; message: string; remedy: string } | null): ErrorBody | null {
  if (error === null) return null;
  return error.remedy === '' ? LoamError.fromPublic(error).toPublic() : error;
}
