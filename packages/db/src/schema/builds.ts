import { sql } from 'drizzle-orm';
import {
  boolean,
  check,
  doublePrecision,
  index,
  integer,
  jsonb,
  pgTable,
  text,
  uniqueIndex,
} from 'drizzle-orm/pg-core';

import { count, oneOf, timeMs } from './columns.ts';
import type { ErrorJson, LimitsJson, PhaseTimeJson, PlannedStepJson, StepExitJson } from './json.ts';

export const builds = pgTable(
  'builds',
  {
    id: text().primaryKey(),
    title: text(),
    state: oneOf(['queued', 'running', 'succeeded', 'failed', 'cancelled']).notNull(),
    pool: text().notNull(),
    priority: integer().notNull(),
    spec: text().notNull(),
    /** Equal specs are likely to want the same snapshots. */
    specHash: text().notNull(),
    context: text(),
    secretIds: jsonb().$type<string[]>().notNull(),
    /** Of the secrets that the farm keeps: their names, by the ids in the spec. */
    secretNames: jsonb().$type<Record<string, string>>().notNull(),
    timeoutMs: count(),
    limits: jsonb().$type<LimitsJson>().notNull(),
    refresh: boolean().notNull(),
    /** Diagnostics that did not stop it. */
    warnings: jsonb().$type<unknown[]>().notNull(),
    /** Its steps as the spec has them. */
    plan: jsonb().$type<PlannedStepJson[]>().notNull(),
    createdAt: timeMs().notNull(),
    createdBy: text().notNull(),
    startedAt: timeMs(),
    endedAt: timeMs(),
    cancelRequestedAt: timeMs(),
    error: jsonb().$type<ErrorJson>(),
    result: text(),
    retryOf: text(),
    /** Of the newest attempt; only ever grows. */
    fence: integer().notNull().default(0),
    /** The attempt that holds the right to write, if any. */
    liveAttempt: text(),
  },
  (table) => [
    index('builds_list').on(table.createdAt.desc(), table.id.desc()),
    index('builds_spec_hash').on(table.specHash),
    index('builds_waiting')
      .on(table.pool, table.priority.desc(), table.createdAt, table.id)
      .where(sql`state = 'queued'`),
    check('builds_state', sql`state in ('queued', 'running', 'succeeded', 'failed', 'cancelled')`),
  ],
);

export const attempts = pgTable(
  'attempts',
  {
    id: text().primaryKey(),
    buildId: text()
      .notNull()
      .references(() => builds.id, { onDelete: 'cascade' }),
    number: integer().notNull(),
    fence: integer().notNull(),
    agentId: text().notNull(),
    state: oneOf(['offered', 'running', 'succeeded', 'failed', 'cancelled', 'lost']).notNull(),
    offeredAt: timeMs().notNull(),
    startedAt: timeMs(),
    endedAt: timeMs(),
    /** The highest record that is stored; records above it are not. */
    ackedSeq: count().notNull().default(0),
  },
  (table) => [
    uniqueIndex('attempts_fence').on(table.buildId, table.fence),
    /** A build has one live attempt at most. */
    uniqueIndex('attempts_one_live')
      .on(table.buildId)
      .where(sql`state in ('offered', 'running')`),
    index('attempts_live_agent')
      .on(table.agentId)
      .where(sql`state in ('offered', 'running')`),
    check('attempts_state', sql`state in ('offered', 'running', 'succeeded', 'failed', 'cancelled', 'lost')`),
  ],
);

/** One execution, or cache hit, of a step inside an attempt. Its id is the id of its log too. */
export const stepRuns = pgTable(
  'step_runs',
  {
    id: text().primaryKey(),
    attemptId: text()
      .notNull()
      .references(() => attempts.id, { onDelete: 'cascade' }),
    buildId: text().notNull(),
    position: text().notNull(),
    kind: oneOf(['from', 'run', 'copy']).notNull(),
    state: oneOf(['running', 'hit', 'built', 'shared', 'failed', 'cancelled']).notNull(),
    stepId: text(),
    parentId: text(),
    phase: text(),
    currentBytes: count(),
    totalBytes: count(),
    startedAt: timeMs().notNull(),
    endedAt: timeMs(),
    durationMs: doublePrecision(),
    sizeBytes: count(),
    exit: jsonb().$type<StepExitJson>(),
    error: jsonb().$type<ErrorJson>(),
    phaseStartedAt: timeMs(),
    phases: jsonb().$type<PhaseTimeJson[]>(),
  },
  (table) => [index('step_runs_attempt').on(table.attemptId), index('step_runs_step').on(table.stepId)],
);

/** Where logs stand. Their bytes are in segment files, never here. */
export const logs = pgTable('logs', {
  /** The step run. */
  id: text().primaryKey(),
  buildId: text().notNull(),
  /** What is stored and acknowledged; the file may be longer by what was not acknowledged yet. */
  sizeBytes: count().notNull(),
  endedAt: timeMs(),
});
