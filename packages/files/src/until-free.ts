import { setTimeout as delay } from 'node:timers/promises';

/** Where the file lies, and how to wait. */
export interface Host {
  readonly platform: NodeJS.Platform;
  readonly pause: (ms: number) => Promise<void>;
  /** The thread stands still. */
  readonly pauseSync: (ms: number) => void;
}

const attempts = 20;
const pauseMs = 50;
/**
 * What Windows answers to a rename or a removal while somebody, such as a scanner, has the file, something below it or one of
 * the two names open (reference §9.5, §11.1). ENOTEMPTY is a directory whose files are deleted, but not closed by everybody.
 */
const heldCodes: ReadonlySet<string | undefined> = new Set(['EPERM', 'EACCES', 'EBUSY', 'ENOTEMPTY']);

export const thisHost: Host = {
  platform: process.platform,
  pause: (ms) => delay(ms),
  pauseSync: (ms) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms),
};

/** Whether something failed only because somebody has a file open. Elsewhere than on Windows that is no reason to fail. */
export function isHeld(error: unknown, host: Host): boolean {
  return host.platform === 'win32' && heldCodes.has((error as NodeJS.ErrnoException).code);
}

/**
 * Does what may meet a file that somebody has open: on Windows it is tried for about a second. Any other failure, and the last
 * one, counts.
 */
export async function untilFree<T>(work: () => T | Promise<T>, host = thisHost): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt === attempts || !isHeld(error, host)) throw error;
      await host.pause(pauseMs);
    }
  }
}

/** `untilFree` for callers that cannot wait otherwise. */
export function untilFreeSync(work: () => void, host = thisHost): void {
  for (let attempt = 1; ; attempt++) {
    try {
      return work();
    } catch (error) {
      if (attempt === attempts || !isHeld(error, host)) throw error;
      host.pauseSync(pauseMs);
    }
  }
}
