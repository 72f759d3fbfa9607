import type { Sql, Transaction } from '../connect.ts';
import type { audit } from '../schema/index.ts';

export type AuditEntry = typeof audit.$inferInsert;

/** Adds an audit row, in the transaction of what it tells of. */
export function writeAudit(tx: Transaction | Sql, entry: AuditEntry): PromiseLike<unknown> {
  return tx`insert into audit (id, at, actor, action, subject, detail)
    values (${entry.id}, ${entry.at}, ${entry.actor}, ${entry.action}, ${entry.subject},
            ${entry.detail === undefined ? null : JSON.stringify(entry.detail)}::jsonb)`;
}
