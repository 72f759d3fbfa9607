import { doublePrecision, index, integer, jsonb, pgTable, primaryKey, text } from 'drizzle-orm/pg-core';

import { count, oneOf, timeMs } from './columns.ts';

/** The cache graph: every step that was ever built. */
export const steps = pgTable(
  'steps',
  {
    id: text().primaryKey(),
    parentId: text(),
    kind: oneOf(['from', 'run', 'copy']).notNull(),
    op: text().notNull(),
    platform: text().notNull(),
    /** What the id is the hash of; null when an agent had the step from before this farm. */
    record: jsonb().$type<unknown>(),
    copiesFrom: text().array().notNull(),
    sizeBytes: count(),
    /** What it cost when it was last executed. */
    durationMs: doublePrecision(),
    firstBuiltAt: timeMs().notNull(),
    firstBuildId: text(),
    /** The step run that executed it last: its log is the step's log. */
    logId: text(),
    lastUsedAt: timeMs().notNull(),
    hits: integer().notNull().default(0),
  },
  (table) => [
    index('steps_parent').on(table.parentId),
    index('steps_last_used').on(table.lastUsedAt),
    // Ops can be longer than what a tree of values may hold, and are only ever looked up whole.
    index('steps_op').using('hash', table.op),
  ],
);

/** A snapshot as it exists on one agent. */
export const replicas = pgTable(
  'replicas',
  {
    stepId: text().notNull(),
    agentId: text().notNull(),
    /** `to-remove`: somebody deleted it while the agent was away. */
    state: oneOf(['present', 'to-remove']).notNull(),
    sizeBytes: count(),
    lastUsedAt: timeMs(),
    changedAt: timeMs().notNull(),
  },
  (table) => [primaryKey({ columns: [table.stepId, table.agentId] }), index('replicas_agent').on(table.agentId)],
);

/** What the tags of base images were found to mean. */
export const baseImages = pgTable(
  'base_images',
  {
    name: text().notNull(),
    platform: text().notNull(),
    digest: text().notNull(),
    resolvedAt: timeMs().notNull(),
  },
  (table) => [primaryKey({ columns: [table.name, table.platform] })],
);
