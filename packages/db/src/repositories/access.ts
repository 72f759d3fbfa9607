import type { Connection } from '../connect.ts';
import type { apiTokens, audit, loginCodes, secrets, sessions } from '../schema/index.ts';
import { writeAudit, type AuditEntry } from './audit.ts';

export type ApiTokenRow = typeof apiTokens.$inferSelect;
export type SecretRow = typeof secrets.$inferSelect;

/** Who is behind a token or a session. */
export interface Identity {
  readonly name: string;
  readonly tokenId: string | null;
}

export type AccessRepository = ReturnType<typeof accessRepository>;

/** Tokens, sessions, login codes, kept secrets, the audit. Secrets come in as hashes or sealed, never as they are. */
export function accessRepository({ sql }: Connection) {
  return {
    async hasTokens(): Promise<boolean> {
      return (await sql`select 1 from api_tokens where revoked_at is null limit 1`).length > 0;
    },

    async createToken(
      token: Pick<ApiTokenRow, 'id' | 'name' | 'hash' | 'createdAt'>,
      entry: AuditEntry,
    ): Promise<void> {
      await sql.begin((tx) => [
        tx`insert into api_tokens (id, name, hash, created_at)
           values (${token.id}, ${token.name}, ${token.hash}, ${token.createdAt})`,
        writeAudit(tx, entry) as never,
      ]);
    },

    async tokens(): Promise<ApiTokenRow[]> {
      return sql<ApiTokenRow[]>`select * from api_tokens where revoked_at is null order by created_at`;
    },

    /** The token's sessions end with it. */
    async revokeToken(id: string, entry: AuditEntry): Promise<boolean> {
      return sql.begin(async (tx) => {
        const rows =
          await tx`update api_tokens set revoked_at = ${entry.at} where id = ${id} and revoked_at is null returning 1`;
        if (rows.length === 0) return false;
        await tx`delete from sessions where token_id = ${id}`;
        await writeAudit(tx, entry);
        return true;
      });
    },

    /** Revokes all tokens of a name. */
    async revokeTokensNamed(name: string, now: number): Promise<void> {
      await sql`update api_tokens set revoked_at = ${now} where name = ${name} and revoked_at is null`;
    },

    async byToken(hash: string, now: number): Promise<Identity | undefined> {
      const [row] = await sql<{ id: string; name: string; lastUsedAt: number | null }[]>`
        select id, name, last_used_at from api_tokens where hash = ${hash} and revoked_at is null`;
      if (row === undefined) return undefined;
      // To the minute is exact enough, and spares a write a request.
      if ((row.lastUsedAt ?? 0) < now - 60_000) {
        await sql`update api_tokens set last_used_at = ${now} where id = ${row.id}`;
      }
      return { name: row.name, tokenId: row.id };
    },

    async createSession(session: typeof sessions.$inferInsert): Promise<void> {
      await sql`insert into sessions ${sql({ hash: session.hash, name: session.name, token_id: session.tokenId ?? null, created_at: session.createdAt, expires_at: session.expiresAt })}`;
    },

    async bySession(hash: string, now: number): Promise<Identity | undefined> {
      const [row] = await sql<Identity[]>`
        select name, token_id from sessions where hash = ${hash} and expires_at > ${now}`;
      return row;
    },

    async endSession(hash: string): Promise<void> {
      await sql`delete from sessions where hash = ${hash}`;
    },

    async createLoginCode(code: Omit<typeof loginCodes.$inferInsert, 'usedAt'>): Promise<void> {
      await sql`insert into login_codes ${sql({ hash: code.hash, name: code.name, created_at: code.createdAt, expires_at: code.expiresAt })}`;
    },

    /** Whose code it is, once. */
    async useLoginCode(hash: string, now: number): Promise<string | undefined> {
      const [row] = await sql<{ name: string }[]>`
        update login_codes set used_at = ${now} where hash = ${hash} and used_at is null and expires_at > ${now} returning name`;
      return row?.name;
    },

    async listSecrets(): Promise<Pick<SecretRow, 'name' | 'createdAt' | 'updatedAt'>[]> {
      return sql<Pick<SecretRow, 'name' | 'createdAt' | 'updatedAt'>[]>`
        select name, created_at, updated_at from secrets order by name`;
    },

    async putSecret(
      name: string,
      sealed: Uint8Array,
      entry: AuditEntry,
    ): Promise<Pick<SecretRow, 'name' | 'createdAt' | 'updatedAt'>> {
      return sql.begin(async (tx) => {
        const [row] = await tx<Pick<SecretRow, 'name' | 'createdAt' | 'updatedAt'>[]>`
          insert into secrets (name, sealed, created_at, updated_at) values (${name}, ${sealed as Buffer}, ${entry.at}, ${entry.at})
          on conflict (name) do update set sealed = excluded.sealed, updated_at = excluded.updated_at
          returning name, created_at, updated_at`;
        await writeAudit(tx, entry);
        return row as Pick<SecretRow, 'name' | 'createdAt' | 'updatedAt'>;
      });
    },

    async secretsNamed(names: readonly string[]): Promise<Pick<SecretRow, 'name' | 'sealed'>[]> {
      return sql<Pick<SecretRow, 'name' | 'sealed'>[]>`
        select name, sealed from secrets where name = any(${names as string[]})`;
    },

    async deleteSecret(name: string, entry: AuditEntry): Promise<boolean> {
      return sql.begin(async (tx) => {
        const rows = await tx`delete from secrets where name = ${name} returning 1`;
        if (rows.length > 0) await writeAudit(tx, entry);
        return rows.length > 0;
      });
    },

    async audit(entry: AuditEntry): Promise<void> {
      await writeAudit(sql, entry);
    },

    async auditOf(subject: string): Promise<(typeof audit.$inferSelect)[]> {
      return sql<(typeof audit.$inferSelect)[]>`select * from audit where subject = ${subject} order by at, id`;
    },

    /** Rows whose time is over. */
    async dropExpired(now: number): Promise<void> {
      await sql.begin((tx) => [
        tx`delete from sessions where expires_at < ${now}`,
        tx`delete from login_codes where expires_at < ${now}`,
        tx`delete from idempotency_keys where created_at < ${now - 7 * 24 * 3_600_000}`,
        tx`delete from enrolment_tokens where expires_at < ${now - 30 * 24 * 3_600_000}`,
      ]);
    },
  };
}
