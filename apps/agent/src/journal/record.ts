import type { BuildRecord } from '@loam/contracts';

type WireLog = Extract<BuildRecord, { type: 'log' }>;

/** A record as the journal keeps it: log bytes as bytes, not as base64. */
export type JournalRecord =
  | Exclude<BuildRecord, { type: 'log' }>
  | (Omit<WireLog, 'data'> & { readonly bytes: Uint8Array });
