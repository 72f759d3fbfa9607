import { recordset, type Connection } from '../connect.ts';
import type { blobs, contexts } from '../schema/index.ts';

export type ContextRow = typeof contexts.$inferSelect;
export type BlobRow = typeof blobs.$inferSelect;

export type ContextsRepository = ReturnType<typeof contextsRepository>;

export function contextsRepository({ sql }: Connection) {
  return {
    /** Notes a manifest, or that it was used again, with its blobs. */
    async put(context: ContextRow): Promise<void> {
      await sql.begin((tx) => [
        tx`insert into contexts (digest, entries, blobs, created_at, last_used_at)
           values (${context.digest}, ${context.entries}, ${context.blobs}, ${context.createdAt}, ${context.lastUsedAt})
           on conflict (digest) do update set last_used_at = excluded.last_used_at`,
        tx`update blobs set last_used_at = ${context.lastUsedAt} where digest = any(${context.blobs})`,
      ]);
    },

    async get(digest: string): Promise<ContextRow | undefined> {
      const [row] = await sql<ContextRow[]>`select * from contexts where digest = ${digest}`;
      return row;
    },

    /** Blobs of a context that were not uploaded yet; undefined for an unknown context. Keeps what is there from the janitor. */
    async missing(digest: string, now: number): Promise<string[] | undefined> {
      const [row] = await sql<{ missing: string[] }[]>`
        with used as (update contexts set last_used_at = ${now} where digest = ${digest} returning blobs),
          kept as (update blobs set last_used_at = ${now} where digest in (select unnest(blobs) from used))
        select coalesce((select array_agg(d) from unnest(used.blobs) d
          where not exists (select 1 from blobs b where b.digest = d)), '{}') as missing from used`;
      return row?.missing;
    },

    async blob(digest: string): Promise<BlobRow | undefined> {
      const [row] = await sql<BlobRow[]>`select * from blobs where digest = ${digest}`;
      return row;
    },

    /** Notes blobs that are stored now. Each digest once. */
    async addBlobs(blobs: readonly BlobRow[]): Promise<void> {
      await sql`insert into blobs (digest, size_bytes, created_at, last_used_at)
        select digest, size_bytes, created_at, last_used_at
        from jsonb_populate_recordset(null::blobs, ${recordset(blobs)}::jsonb) order by digest
        on conflict (digest) do update set last_used_at = excluded.last_used_at`;
    },

    async forgetBlob(digest: string): Promise<void> {
      await sql`delete from blobs where digest = ${digest}`;
    },

    /** Contexts and blobs that nothing used since `before` and no unfinished build needs. Their files are the caller's to delete. */
    async dropUnused(before: number): Promise<{ contexts: string[]; blobs: string[] }> {
      return sql.begin(async (tx) => {
        const oldContexts = await tx<{ digest: string }[]>`
          delete from contexts c where last_used_at < ${before}
            and not exists (select 1 from builds b where b.context = c.digest and b.state in ('queued', 'running'))
          returning digest`;
        const oldBlobs = await tx<{ digest: string }[]>`
          delete from blobs b where last_used_at < ${before}
            and not exists (select 1 from contexts c where b.digest = any(c.blobs))
          returning digest`;
        return { contexts: oldContexts.map((row) => row.digest), blobs: oldBlobs.map((row) => row.digest) };
      });
    },
  };
}
