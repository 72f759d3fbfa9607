import type { Store, WorkingSnapshot } from '@loam/backend';
import { isLoamError } from '@loam/base';

/**
 * Discards the working snapshot of a step that failed with `error`, and returns what to throw. When discarding fails too, the
 * step's own failure is still what the user must hear: what stays behind has no lease any more and is swept by the
 * collector or the next reconciliation.
 */
export async function abandonAfter(error: unknown, store: Store, working: WorkingSnapshot): Promise<unknown> {
  // What will not die still holds its files; the back end has put them under quarantine.
  if (isLoamError(error, 'backend.will-not-die')) return error;
  return store.abandon(working).then(
    () => error,
    () => error,
  );
}
