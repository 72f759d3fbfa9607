import { isLoamError, sleep, type Clock } from '@loam/base';

/** How long containerd may be away before that is an error. */
const daemonAwayMs = 120_000;
const askAgainMs = 250;
/** A call that lasted this long did reach the daemon. */
const answeredMs = 2_000;
/** How often such a call may be lost to a daemon that went away, within more time than that: it may be what ends the daemon. */
const defaultLossesMax = 4;

/**
 * Does `work` again and again while containerd does not answer. A daemon that restarts takes its answers with it, but tasks
 * go on under their shims, and can be asked about afterwards. `work` must be harmless to repeat, and not hold such work itself.
 */
export async function untilContainerdAnswers<T>(
  clock: Clock,
  work: () => Promise<T>,
  lossesMax: number = defaultLossesMax,
): Promise<T> {
  let firstLostMs: number | undefined;
  let silentSinceMs = 0;
  let losses = 0;
  for (;;) {
    const beganMs = clock.monotonic();
    try {
      return await work();
    } catch (error) {
      if (!isLoamError(error, 'containerd.unavailable')) throw error;
      const nowMs = clock.monotonic();
      const wasLost = nowMs - beganMs > answeredMs;
      if (wasLost) losses++;
      if (wasLost || firstLostMs === undefined) silentSinceMs = nowMs;
      firstLostMs ??= nowMs;
      const since = losses > lossesMax ? firstLostMs : silentSinceMs;
      if (nowMs - since > daemonAwayMs) throw error;
      await sleep(clock, askAgainMs);
    }
  }
}
