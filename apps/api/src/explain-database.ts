import { LoamError } from '@loam/base';
import { isUnavailable } from '@loam/db';

/** Where there is no database, or it does not let us in, the settings are wrong or it has not started yet; other errors stay. */
export function explainDatabase(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { code } = error as { code?: unknown };
  // Class 28: who we are is not accepted. 3D000: there is no such database.
  const isRefused = typeof code === 'string' && /^(?:28...|3D000)$/.test(code);
  if (!isRefused && !isUnavailable(error)) return error;
  // A name with several addresses fails with an error for each, and without a message.
  const each = error instanceof AggregateError ? error.errors.map((one: unknown) => (one as Error).message) : [];
  return LoamError.of('api.database-unusable', { reason: error.message || each.join('; ') }, { cause: error });
}
