import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import type { Clock } from '@loam/base';

const afterMs = 2_000;

/**
 * Gives memory back when nothing has run for two seconds. V8 collects when it needs room, and an agent that waits needs
 * none: without this, the buffers of the last large copy stay until the next one.
 */
export function giveMemoryBackWhenIdle(clock: Clock, isIdle: () => boolean): () => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  let cancel = (): void => undefined;
  return () => {
    cancel();
    cancel = clock.after(afterMs, () => {
      if (isIdle()) collect();
    });
  };
}
