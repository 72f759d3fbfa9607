import { boolean, index, integer, jsonb, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core';

import { timeMs } from './columns.ts';
import type { AgentFactsJson, DoctorReportJson } from './json.ts';

/** A named set of agents that can run the same builds. */
export const pools = pgTable('pools', {
  name: text().primaryKey(),
  createdAt: timeMs().notNull(),
});

export const agents = pgTable(
  'agents',
  {
    id: text().primaryKey(),
    name: text().notNull(),
    pool: text()
      .notNull()
      .references(() => pools.name),
    /** SHA-256, in hex, of the agent's credential. */
    credentialHash: text().notNull(),
    /** How many attempts it may have at a time; null leaves it to the agent. */
    slots: integer(),
    /** How many it says it can have. */
    capacity: integer(),
    draining: boolean().notNull().default(false),
    quarantineReason: text(),
    revokedAt: timeMs(),
    facts: jsonb().$type<AgentFactsJson>(),
    /** The start of the agent's process that it last said hello from. */
    bootId: text(),
    /** The link it is connected by, null when it said good-bye. A crash of the API leaves it; `lastSeenAt` then tells. */
    linkId: text(),
    enrolledAt: timeMs().notNull(),
    lastSeenAt: timeMs(),
  },
  (table) => [uniqueIndex('agents_credential').on(table.credentialHash), index('agents_pool').on(table.pool)],
);

/** The last report of each agent's doctor. */
export const doctorReports = pgTable('doctor_reports', {
  agentId: text()
    .primaryKey()
    .references(() => agents.id),
  at: timeMs().notNull(),
  problems: integer().notNull(),
  warnings: integer().notNull(),
  report: jsonb().$type<DoctorReportJson>().notNull(),
});

export const enrolmentTokens = pgTable(
  'enrolment_tokens',
  {
    id: text().primaryKey(),
    hash: text().notNull(),
    pool: text().notNull(),
    createdBy: text().notNull(),
    createdAt: timeMs().notNull(),
    expiresAt: timeMs().notNull(),
    usedAt: timeMs(),
    agentId: text(),
  },
  (table) => [uniqueIndex('enrolment_tokens_hash').on(table.hash)],
);
