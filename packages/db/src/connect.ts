import postgres from 'postgres';

interface DriverTypes extends Record<string, unknown> {
  bigint: number;
  json: unknown;
  text: string;
}

/** The driver: tagged templates are statements, `${…}` their parameters. Columns come back in camelCase. */
export type Sql = postgres.Sql<DriverTypes>;
export type Transaction = postgres.TransactionSql<DriverTypes>;

export interface Connection {
  readonly sql: Sql;
  close(): Promise<void>;
}

export interface ConnectOptions {
  /** Connections at most; 10 unless told. */
  readonly max?: number;
}

/** After a failure the driver would let a connection rest for up to 20 s, and its next statement with it: long after the server is back. */
const restSecondsMax = 0.5;

/** Connects lazily; connections that break are made anew by the next statement. */
export function connect(url: string, options: ConnectOptions = {}): Connection {
  const sql = postgres(url, {
    max: options.max ?? 10,
    // An idle farm holds no connection but the ones its queue needs.
    idle_timeout: 300,
    connect_timeout: 10,
    backoff: (failures) => Math.min(0.05 * 2 ** failures, restSecondsMax),
    onnotice: () => undefined,
    connection: { application_name: 'loam-api' },
    transform: { column: { from: postgres.toCamel } },
    types: {
      // Counts, sizes and times stay far below 2^53.
      bigint: { to: 20, from: [20], parse: Number, serialize: String },
      // Statements write `${JSON.stringify(value)}::jsonb`; the driver shall not do it a second time.
      json: {
        to: 3802,
        from: [114, 3802],
        parse: (text: string) => JSON.parse(text) as unknown,
        serialize: (text: unknown) => storableJson(String(text)),
      },
      text: { to: 25, from: [25], parse: String, serialize: (text: unknown) => storableText(String(text)) },
    },
  });
  return { sql, close: () => sql.end({ timeout: 3 }) };
}

/** A jsonb parameter that `jsonb_populate_recordset` reads: rows with column names for keys. */
export function recordset(rows: readonly object[]): string {
  return JSON.stringify(
    rows.map((row) => Object.fromEntries(Object.entries(row).map(([key, value]) => [postgres.fromCamel(key), value]))),
  );
}

/**
 * PostgreSQL refuses a NUL and half of a surrogate pair, and hosts do say such things (Windows counts its text in UTF-16).
 * A record that is refused would come again for ever, so U+FFFD stands in for them.
 */
function storableText(text: string): string {
  return text.replaceAll('\0', '\uFFFD').toWellFormed();
}

/** The same in what `JSON.stringify` made: of surrogates it escapes only those that are alone. */
function storableJson(json: string): string {
  if (!/\\u(?:0000|d[89a-f])/.test(json)) return json;
  return json.replace(/\\(?:u[0-9a-f]{4}|.)/g, (escape) => (/^\\u(?:0000|d[89a-f])/.test(escape) ? '\\ufffd' : escape));
}

const unavailableCodes = new Set([
  'CONNECTION_CLOSED',
  'CONNECTION_DESTROYED',
  'CONNECTION_ENDED',
  'CONNECT_TIMEOUT',
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
  '53300', // too_many_connections
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
]);

/** Whether a statement failed because the database could not be reached or went away: it may or may not have happened. */
export function isUnavailable(error: unknown): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const { code } = at as { code?: unknown };
    if (typeof code === 'string' && (unavailableCodes.has(code) || code.startsWith('08'))) return true;
  }
  return false;
}

/** Whether a statement failed on a unique index. */
export function isConflict(error: unknown): boolean {
  return error instanceof Error && (error as { code?: unknown }).code === '23505';
}
