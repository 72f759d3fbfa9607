import { isLoamError, sleep, type Clock } from '@loam/base';

/** How long containerd may be away before that is an error. */
const daemonAwayMs = 120_000;
const askAgainMs = 250;
/** A call that lasted this long did reach the daemon. */
const answeredMs = 2_000;

/**
 * Does `work` again and again while containerd does not answer. A daemon that restarts takes its answers with it, but tasks
 * go on under their shims, and can be asked about afterwards. `work` must be harmless to repeat.
 */
export async function patiently<T>(clock: Clock, work: () => Promise<T>): Promise<T> {
  let silentSinceMs: number | undefined;
  for (;;) {
    const beganMs = clock.monotonic();
    try {
      return await work();
    } catch (error) {
      if (!isLoamError(error, 'containerd.unavailable')) throw error;
      const nowMs = clock.monotonic();
      if (silentSinceMs === undefined || nowMs - beganMs > answeredMs) silentSinceMs = nowMs;
      if (nowMs - silentSinceMs > daemonAwayMs) throw error;
      await sleep(clock, askAgainMs);
    }
  }
}
