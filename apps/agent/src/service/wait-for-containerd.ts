import { isLoamError, sleep, type Clock } from '@loam/base';

import type { Log } from '../log.ts';

const againMs = 2_000;
const limitMs = 60_000;

/**
 * Starts what needs containerd, again and again while that is not there yet: at boot its service counts as running before it has
 * loaded its plugins (reference §9.2). Gives up after a minute, and when told to.
 */
export async function waitForContainerd<T>(
  start: () => Promise<T>,
  { clock, log, stop }: { readonly clock: Clock; readonly log: Log; readonly stop: Promise<unknown> },
): Promise<T> {
  const deadline = clock.monotonic() + limitMs;
  const stopped = new AbortController();
  void stop.then(() => stopped.abort());
  for (;;) {
    try {
      return await start();
    } catch (error) {
      const isDue = clock.monotonic() + againMs <= deadline && !stopped.signal.aborted;
      if (!isDue || !isLoamError(error, 'containerd.unavailable')) throw error;
      log.warn({ reason: error.message }, 'containerd does not answer yet; trying again');
      // A stop in between ends with why there was nothing to stop.
      await sleep(clock, againMs, stopped.signal).catch(() => Promise.reject(error));
    }
  }
}
