import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

import postgres from 'postgres';

interface Journal {
  readonly entries: readonly { readonly tag: string; readonly when: number }[];
}

const directory = new URL('../migrations/', import.meta.url);
/** Any number will do that nobody else takes: "loam" in ASCII. */
const lockKey = 0x6c6f616d;

/**
 * Brings the database to the present schema. Any number of processes may start at once: one migrates, the others wait.
 * drizzle-kit writes the migrations, and this keeps its books (`drizzle.__drizzle_migrations`); the library itself is not
 * loaded, since that alone would double the memory of an API process.
 */
export async function migrate(url: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined, connection: { application_name: 'loam-migrate' } });
  try {
    const journal = JSON.parse(await readFile(new URL('meta/_journal.json', directory), 'utf8')) as Journal;
    // Held by the session, so a crash lets go of it.
    await sql`select pg_advisory_lock(${lockKey})`;
    await sql`create schema if not exists drizzle`;
    await sql`create table if not exists drizzle.__drizzle_migrations (
      id serial primary key, hash text not null, created_at bigint)`;
    const [last] = await sql<{ at: string | null }[]>`select max(created_at) as at from drizzle.__drizzle_migrations`;
    for (const { tag, when } of journal.entries) {
      if (when <= Number(last?.at ?? 0)) continue;
      const text = await readFile(new URL(`${tag}.sql`, directory), 'utf8');
      const hash = createHash('sha256').update(text).digest('hex');
      await sql.begin(async (tx) => {
        for (const statement of text.split('--> statement-breakpoint')) await tx.unsafe(statement);
        await tx`insert into drizzle.__drizzle_migrations (hash, created_at) values (${hash}, ${when})`;
      });
    }
  } finally {
    await sql.end({ timeout: 3 });
  }
}
