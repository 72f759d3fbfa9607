import type { CacheDeletion } from '@loam/contracts';
import { mutationOptions, type QueryClient } from '@tanstack/react-query';

/**
 * Deletes a subtree of the cache. `onDone` is told before the graph is read anew: with the graph goes the panel that asked, and
 * what it would have done then.
 */
export function cacheDeletion(
  client: QueryClient,
  remove: () => Promise<CacheDeletion>,
  onDone: (done: CacheDeletion) => void,
) {
  return mutationOptions({
    mutationFn: remove,
    onSuccess: (done: CacheDeletion) => {
      onDone(done);
      return client.invalidateQueries({ queryKey: ['cache'] });
    },
  });
}
