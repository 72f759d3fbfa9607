import { index, integer, pgTable, text } from 'drizzle-orm/pg-core';

import { count, timeMs } from './columns.ts';

/** Manifests of contexts. The manifest itself is a file beside the blobs, under its digest. */
export const contexts = pgTable(
  'contexts',
  {
    digest: text().primaryKey(),
    entries: integer().notNull(),
    /** Digests of the files it names, each once. */
    blobs: text().array().notNull(),
    createdAt: timeMs().notNull(),
    lastUsedAt: timeMs().notNull(),
  },
  (table) => [index('contexts_last_used').on(table.lastUsedAt)],
);

/** Contents of context files, kept on the API's disk. */
export const blobs = pgTable(
  'blobs',
  {
    digest: text().primaryKey(),
    sizeBytes: count().notNull(),
    createdAt: timeMs().notNull(),
    lastUsedAt: timeMs().notNull(),
  },
  (table) => [index('blobs_last_used').on(table.lastUsedAt)],
);
