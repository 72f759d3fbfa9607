import { signal } from './processes.ts';
import type { Random } from './random.ts';

export interface Fault {
  readonly name: string;
  /** Of two faults that touch the same thing, one waits for the other. */
  readonly target: string;
  readonly weight: number;
  /** Resolves when it has been healed. */
  readonly make: (random: Random) => Promise<void>;
}

/** Stops processes for a while, as a host does that swaps or is suspended. */
export async function freeze(pids: readonly number[], ms: number): Promise<void> {
  for (const pid of pids) signal(pid, 'SIGSTOP');
  await pause(ms);
  for (const pid of pids) signal(pid, 'SIGCONT');
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
