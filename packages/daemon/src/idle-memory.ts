import { performance } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import type { Clock } from '@loam/base';

const lookEveryMs = 2_000;
/** Share of the time between two looks for which JavaScript ran. */
const idleBelow = 0.05;
/** Less than this is not worth the pause that a collection makes. */
const worthBytes = 8 * 2 ** 20;

export interface IdleMemoryOptions {
  readonly clock: Clock;
  /** Share of the time since the last call for which JavaScript ran, 0…1. The event loop's own figure unless given. */
  readonly utilization?: () => number;
  /** Resident bytes. Those of this process unless given. */
  readonly residentBytes?: () => number;
  /** Collects all garbage. V8's own unless given. */
  readonly collect?: () => void;
}

/**
 * Gives memory back when a daemon has nothing to do. V8 collects when it needs room, and a process that waits needs none:
 * without this, the buffers of the last large copy or upload stay until the next one. Gives the function that ends it.
 */
export function giveMemoryBackWhenIdle(options: IdleMemoryOptions): () => void {
  const {
    clock,
    utilization = loopUtilization(),
    residentBytes = () => process.memoryUsage.rss(),
    collect = collector(),
  } = options;
  let keptBytes = 0;
  let cancel = clock.after(lookEveryMs, look);
  function look(): void {
    const isIdle = utilization() < idleBelow;
    if (isIdle && residentBytes() - keptBytes > worthBytes) {
      collect();
      keptBytes = residentBytes();
    }
    cancel = clock.after(lookEveryMs, look);
  }
  return () => cancel();
}

function loopUtilization(): () => number {
  let last = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    return utilization;
  };
}

function collector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
