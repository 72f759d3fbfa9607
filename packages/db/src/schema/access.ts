import { customType, index, jsonb, pgTable, primaryKey, text, uniqueIndex } from 'drizzle-orm/pg-core';

import { timeMs } from './columns.ts';

const bytes = customType<{ data: Uint8Array; driverData: Uint8Array }>({ dataType: () => 'bytea' });

/** Bearer tokens of programs. */
export const apiTokens = pgTable(
  'api_tokens',
  {
    id: text().primaryKey(),
    name: text().notNull(),
    /** SHA-256, in hex; the token itself is shown once and kept nowhere. */
    hash: text().notNull(),
    createdAt: timeMs().notNull(),
    lastUsedAt: timeMs(),
    revokedAt: timeMs(),
  },
  (table) => [uniqueIndex('api_tokens_hash').on(table.hash)],
);

/** Browser sessions. The cookie holds what is hashed here. */
export const sessions = pgTable('sessions', {
  hash: text().primaryKey(),
  name: text().notNull(),
  /** The token it was opened with: revoking that ends the session. Null when it came from a login link. */
  tokenId: text(),
  createdAt: timeMs().notNull(),
  expiresAt: timeMs().notNull(),
});

/** One-time codes of login links. */
export const loginCodes = pgTable('login_codes', {
  hash: text().primaryKey(),
  name: text().notNull(),
  createdAt: timeMs().notNull(),
  expiresAt: timeMs().notNull(),
  usedAt: timeMs(),
});

/** Secrets that the farm keeps, encrypted under the key file. */
export const secrets = pgTable('secrets', {
  name: text().primaryKey(),
  sealed: bytes().notNull(),
  createdAt: timeMs().notNull(),
  updatedAt: timeMs().notNull(),
});

/** Secrets of a build: a sealed value, deleted when the build has ended, or the name of a kept one. */
export const buildSecrets = pgTable(
  'build_secrets',
  {
    buildId: text().notNull(),
    /** As the spec names it. */
    id: text().notNull(),
    secretName: text(),
    sealed: bytes(),
  },
  (table) => [primaryKey({ columns: [table.buildId, table.id] })],
);

export const idempotencyKeys = pgTable(
  'idempotency_keys',
  {
    /** Who asked: keys of different callers never meet. */
    actor: text().notNull(),
    key: text().notNull(),
    bodyHash: text().notNull(),
    buildId: text().notNull(),
    createdAt: timeMs().notNull(),
  },
  (table) => [primaryKey({ columns: [table.actor, table.key] })],
);

/** Who did what. Rows are only ever added. */
export const audit = pgTable(
  'audit',
  {
    id: text().primaryKey(),
    at: timeMs().notNull(),
    actor: text().notNull(),
    action: text().notNull(),
    subject: text().notNull(),
    detail: jsonb().$type<Record<string, unknown>>(),
  },
  (table) => [index('audit_at').on(table.at), index('audit_subject').on(table.subject)],
);
