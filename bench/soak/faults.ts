import { agentFaults } from './agent-faults.ts';
import { apiFaults, storeFaults } from './farm-faults.ts';
import { pause } from './fault.ts';
import type { Random } from './random.ts';
import type { SoakFarm } from './soak-farm.ts';

export interface Faults {
  /** How often each was made. */
  readonly counts: ReadonlyMap<string, number>;
  readonly findings: string[];
  /** Makes faults until told to stop; resolves when all are healed. */
  run(until: () => boolean): Promise<void>;
}

const pauseMsMin = 1_000;
const pauseMsMax = 9_000;

export function openFaults(
  soak: SoakFarm,
  random: Random,
  names: readonly string[] | undefined,
  say: (text: string) => void,
): Faults {
  const all = [...soak.agents.flatMap(agentFaults), ...apiFaults(soak), ...storeFaults(soak)];
  for (const name of names ?? []) {
    if (!all.some((fault) => fault.name === name)) {
      throw new Error(`no fault "${name}"; there are: ${[...new Set(all.map((fault) => fault.name))].join(', ')}`);
    }
  }
  const chosen = all.filter((fault) => names === undefined || names.includes(fault.name));
  const busy = new Set<string>();
  const counts = new Map<string, number>();
  const findings: string[] = [];
  const running = new Set<Promise<void>>();

  return {
    counts,
    findings,
    async run(until) {
      while (!until()) {
        await pause(random.between(pauseMsMin, pauseMsMax));
        const free = chosen.filter((fault) => !busy.has(fault.target));
        if (free.length === 0 || until()) continue;
        const fault = random.pick(free, ({ weight }) => weight);
        counts.set(fault.name, (counts.get(fault.name) ?? 0) + 1);
        busy.add(fault.target);
        say(`  ${fault.name} (${fault.target})`);
        const made = fault
          .make(random.fork())
          .catch((error: unknown) => void findings.push(`${fault.name} could not be healed: ${String(error)}`))
          .finally(() => {
            busy.delete(fault.target);
            running.delete(made);
          });
        running.add(made);
      }
      await Promise.all(running);
    },
  };
}
