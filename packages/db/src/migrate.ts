import { fileURLToPath } from 'node:url';

import { drizzle } from 'drizzle-orm/postgres-js';
import { migrate as runMigrations } from 'drizzle-orm/postgres-js/migrator';
import postgres from 'postgres';

const migrationsFolder = fileURLToPath(new URL('../migrations', import.meta.url));
/** Any number will do that nobody else takes: "loam" in ASCII. */
const lockKey = 0x6c6f616d;

/** Brings the database to the present schema. Any number of processes may start at once: one migrates, the others wait. */
export async function migrate(url: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined, connection: { application_name: 'loam-migrate' } });
  try {
    // Held by the session, so a crash lets go of it.
    await sql`select pg_advisory_lock(${lockKey})`;
    await runMigrations(drizzle({ client: sql }), { migrationsFolder });
  } finally {
    await sql.end({ timeout: 3 });
  }
}
