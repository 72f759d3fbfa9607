import { stat, statfs } from 'node:fs/promises';

import { formatBytes } from '../../output/style.ts';
import { defineCheck, ok, problem, warning, type AnyCheck, type Verdict } from '../check.ts';
import type { DoctorHost } from '../doctor-host.ts';

interface DiskFacts {
  readonly directory: string;
  readonly totalBytes: number;
  readonly freeBytes: number;
}

const gibibyte = 2 ** 30;
/**
 * Ours, from what one build needs: on Windows a base image unpacks to some gigabytes, and what a step writes is on the disk
 * twice after its commit (reference §3.2).
 */
const leastBytes = {
  snapshots: {
    linux: { problem: 2 * gibibyte, warning: 10 * gibibyte },
    windows: { problem: 10 * gibibyte, warning: 40 * gibibyte },
  },
  state: {
    linux: { problem: gibibyte / 4, warning: gibibyte },
    windows: { problem: gibibyte / 4, warning: gibibyte },
  },
} as const;

/** The volume of containerd's root, not ours (reference §9.4, §11.2 #26). */
const snapshots = defineCheck<DiskFacts>({
  id: 'disk.snapshots',
  title: 'Room for snapshots',
  gather: async (host) => measure(await host.snapshotDirectory()),
  judge: (facts, host) => judgeDisk(facts, 'snapshots', host.os),
});

const state = defineCheck<DiskFacts>({
  id: 'disk.state',
  title: 'Room for journals and contexts',
  gather: (host) => measure(host.stateDirectory),
  judge: (facts, host) => judgeDisk(facts, 'state', host.os),
});

export const diskChecks: readonly AnyCheck[] = [snapshots, state];

async function measure(directory: string): Promise<DiskFacts> {
  await stat(directory);
  const { bsize, blocks, bavail } = await statfs(directory);
  return { directory, totalBytes: bsize * blocks, freeBytes: bsize * bavail };
}

export function judgeDisk(facts: DiskFacts, what: keyof typeof leastBytes, os: DoctorHost['os']): Verdict {
  const { directory, totalBytes, freeBytes } = facts;
  const least = leastBytes[what][os];
  const seen = `${formatBytes(freeBytes)} free of ${formatBytes(totalBytes)} where ${directory} is.`;
  const remedy =
    what === 'snapshots'
      ? 'Free space there; `loam-agent cache ls` shows what the cache takes, and `loam-agent cache rm -r` removes.'
      : 'Free space there, or put the state directory on another volume.';
  const fills = what === 'snapshots' ? 'steps and base images' : "the agent's journals";
  if (freeBytes < least.problem) return problem(seen, `There is no room for ${fills}: builds fail.`, remedy);
  if (freeBytes < least.warning) return warning(seen, `A few builds may fill it; then ${fills} fail.`, remedy);
  return ok(seen, 'It is enough for some builds.');
}
