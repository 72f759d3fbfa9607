import { isLoamError, type PublicError } from '@loam/base';

import { defineCheck, ok, problem, warning, type Verdict } from '../check.ts';
import type { DoctorHost } from '../doctor-host.ts';
import { isContainerdAway } from '../examine.ts';

interface ContainerdFacts {
  readonly address?: string;
  readonly version?: string;
  readonly failure?: PublicError;
}

/** Below, the agent does not work at all; on Windows BuildKit states 1.7.7 as its minimum (reference §1.14). */
const floors = { linux: [1, 6, 0], windows: [1, 7, 7] } as const;

export const containerdReachable = defineCheck<ContainerdFacts>({
  id: 'containerd.reachable',
  title: 'containerd',
  timeLimitMs: 45_000,
  async gather(host) {
    try {
      const client = await host.containerd();
      return { address: client.address, version: (await client.version()).version };
    } catch (error) {
      if (!isContainerdAway(error) || !isLoamError(error)) throw error;
      return { failure: error.toPublic() };
    }
  },
  judge: (facts, host) => judgeContainerd(facts, host.os),
});

export function judgeContainerd({ address, version, failure }: ContainerdFacts, os: DoctorHost['os']): Verdict {
  const noBuilds = 'No step can run on this host.';
  if (failure !== undefined) {
    const windows = 'Run `Get-Service containerd` and start it; then look into its log and its panic.log.';
    return problem(
      failure.message,
      noBuilds,
      os === 'windows' && failure.code === 'containerd.unavailable' ? windows : failure.remedy,
    );
  }
  const numbers = (/(\d+)\.(\d+)(?:\.(\d+))?/.exec(version ?? '') ?? []).slice(1).map((part) => Number(part ?? 0));
  const floor = floors[os].join('.');
  const seen = `containerd ${version} at ${address}`;
  if (numbers.length === 0) {
    return warning(`${seen}: not a version that can be read.`, 'It may lack what the agent asks for.', newer(floor));
  }
  if (isBelow(numbers, floors[os])) return problem(`${seen}; needed is ${floor}.`, noBuilds, newer(floor));
  if (os === 'windows' && isBelow(numbers, [2, 0, 0])) {
    return warning(`${seen}.`, 'Builds run; its line ends, and 2.x has the newer Windows shim.', newer('2.0'));
  }
  return ok(`${seen}.`, 'The agent can speak to it.');
}

function newer(floor: string): string {
  return `Install containerd ${floor} or newer.`;
}

function isBelow(version: readonly number[], floor: readonly number[]): boolean {
  for (const [index, least] of floor.entries()) {
    const part = version[index] ?? 0;
    if (part !== least) return part < least;
  }
  return false;
}
