import { isLoamError, sleep, type Clock } from '@loam/base';

const waitsMs = [200, 500, 1_000, 2_000, 4_000, 4_000];

/**
 * Asks the farm again while it does not answer: it may be starting anew. For calls that do no harm twice. All `retries` take
 * some twelve seconds.
 */
export async function untilFarmAnswers<T>(
  clock: Clock,
  call: () => Promise<T>,
  retries: number = waitsMs.length,
): Promise<T> {
  for (const waitMs of waitsMs.slice(0, retries)) {
    try {
      return await call();
    } catch (error) {
      if (!isLoamError(error, 'cli.api-unreachable')) throw error;
    }
    await pause(clock, waitMs);
  }
  return await call();
}

/** Sleeps and keeps the process alive, which the clock's own timers do not. */
export async function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  const keepAlive = setInterval(() => undefined, 60_000);
  try {
    await sleep(clock, ms, signal);
  } finally {
    clearInterval(keepAlive);
  }
}
