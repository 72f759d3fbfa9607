import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** USER_HZ, which Linux has for all architectures of ours. */
const ticksPerSecond = 100;

/**
 * Resolves when `progress` has given the same value for `silenceMs`, and tells what the process did meanwhile: one that hangs did
 * nothing, one on a machine that is too busy waited for a processor. Rejects when the signal is aborted.
 */
export async function stallOf(pid, { progress, silenceMs, everyMs = 500, signal }) {
  const look = () => ({ value: progress(), atMs: performance.now(), ...processorTime(pid) });
  let last = look();
  for (;;) {
    await delay(everyMs, undefined, { signal });
    const now = look();
    if (now.value !== last.value) last = now;
    else if (now.atMs - last.atMs >= silenceMs) {
      const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
      const [ran, waited] = [seconds(now.ranMs - last.ranMs), seconds(now.waitedMs - last.waitedMs)];
      return `no sign of life for ${seconds(now.atMs - last.atMs)}, in which it ran for ${ran} and waited for a processor for ${waited}`;
    }
  }
}

/** How long all threads of a process have run, and how long those that live have waited for a processor. */
function processorTime(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    const waited = readdirSync(`/proc/${pid}/task`).map((thread) =>
      Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[1]),
    );
    return {
      ranMs: ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond,
      waitedMs: waited.reduce((sum, ns) => sum + ns / 1e6, 0),
    };
  } catch {
    // It is just ending.
    return { ranMs: 0, waitedMs: 0 };
  }
}
