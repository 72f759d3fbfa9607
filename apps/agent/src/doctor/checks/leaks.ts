import { sleep } from '@loam/base';

import { defineCheck, ok, skipped, warning, type AnyCheck, type Verdict } from '../check.ts';
import type { DoctorHost } from '../doctor-host.ts';

export interface LeakFacts {
  readonly found: readonly string[];
  /** Who may be using it. */
  readonly inUse: 'nobody' | 'idle agent' | 'busy agent' | 'other process';
}

interface Leak {
  readonly id: string;
  readonly title: string;
  /** First words of the lines that it is about. */
  readonly kinds: readonly string[];
  readonly what: string;
  readonly cost: string;
  /** Every platform unless given. */
  readonly only?: DoctorHost['os'];
}

const leaks: readonly Leak[] = [
  {
    id: 'leaks.containers',
    title: 'Left-over containers',
    kinds: ['task', 'container'],
    what: 'containers and tasks',
    cost: 'They hold memory, files and their snapshots.',
  },
  {
    id: 'leaks.snapshots',
    title: 'Left-over working snapshots',
    kinds: ['active', 'view', 'unknown'],
    what: 'working snapshots',
    cost: 'They take disk, and keep what they stand on from being removed.',
  },
  {
    id: 'leaks.leases',
    title: 'Left-over leases',
    kinds: ['lease'],
    what: 'leases',
    cost: 'They keep downloads and layers from being collected.',
  },
  {
    id: 'leaks.mounts',
    title: 'Left-over mounts',
    only: 'linux',
    kinds: ['mount'],
    what: 'mounts below the state directory',
    cost: 'They keep snapshots busy.',
  },
];

/** What is seen twice so far apart is not a step's that is just being cleaned up. */
const secondLookMs = 1_500;

/** What of this agent lies about in containerd although nothing of it runs (reference §2.3, §10 #17, #35). */
export const leakChecks: readonly AnyCheck[] = leaks.map((leak) =>
  defineCheck<LeakFacts>({
    id: leak.id,
    title: leak.title,
    ...(leak.only ? { only: leak.only } : {}),
    gather: (host) => gatherLeaks(host, leak.kinds),
    judge: (facts) => judgeLeaks(facts, leak),
    repair: removeEverything,
  }),
);

async function gatherLeaks(host: DoctorHost, kinds: readonly string[]): Promise<LeakFacts> {
  const look = async (): Promise<string[]> =>
    (await host.leftovers()).filter((line) => kinds.includes(line.split(' ', 1)[0] ?? ''));
  return twice(host, look);
}

/** Looks, and when something is there looks again after a while: only what stays counts. */
export async function twice(host: DoctorHost, look: () => Promise<readonly string[]>): Promise<LeakFacts> {
  const { agent, clock } = host;
  let found = await look();
  if (agent.kind === 'another') return { found, inUse: 'other process' };
  const isBusy = (): boolean => agent.kind === 'self' && agent.running() > 0;
  if (found.length > 0 && !isBusy()) {
    await sleep(clock, secondLookMs);
    const again = new Set(await look());
    found = found.filter((line) => again.has(line));
  }
  return { found, inUse: isBusy() ? 'busy agent' : agent.kind === 'nobody' ? 'nobody' : 'idle agent' };
}

export function judgeLeaks({ found, inUse }: LeakFacts, { what, cost }: Pick<Leak, 'what' | 'cost'>): Verdict {
  if (found.length === 0) return ok(`There are no ${what} of this agent.`, 'Nothing was left behind.');
  const seen = `${found.length} ${what}: ${list(found)}.`;
  if (inUse === 'busy agent' || inUse === 'other process') {
    return skipped(
      `${seen} ${inUse === 'busy agent' ? 'Builds are running.' : 'An agent is running.'}`,
      'What is in use cannot be told from what was left behind; the agent looks again when it has nothing to do.',
    );
  }
  const remedy =
    inUse === 'nobody' ? 'Run `loam-agent doctor --fix`.' : 'Restart the agent: it removes them at its start.';
  return warning(seen, cost, remedy, inUse === 'nobody');
}

/** All of it in the order that lets go: tasks, containers, networks, snapshots, leases. What is gone already counts nothing. */
export async function removeEverything(host: DoctorHost): Promise<string> {
  const report = await host.reconcile();
  const parts = [
    [report.tasks, 'tasks'],
    [report.containers, 'containers'],
    [report.workingSnapshots, 'working snapshots'],
    [report.leases, 'leases'],
    [report.mounts, 'mounts and views'],
    [report.networks, 'networks of steps'],
  ] as const;
  const removed = parts.filter(([count]) => count > 0).map(([count, name]) => `${count} ${name}`);
  return removed.length === 0 ? 'Nothing was left any more.' : `Removed ${removed.join(', ')}.`;
}

export function list(items: readonly string[], shown: number = 10): string {
  const more = items.length - shown;
  return items.slice(0, shown).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
