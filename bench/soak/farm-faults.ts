import { freeze, pause, type Fault } from './fault.ts';
import { family, signal } from './processes.ts';
import { graceMs, type SoakFarm } from './soak-farm.ts';

/** What can happen to the process of the API. */
export function apiFaults(soak: SoakFarm): Fault[] {
  const { farm } = soak;
  const fault = (name: string, weight: number, make: Fault['make']): Fault => ({ name, target: 'API', weight, make });
  return [
    fault('lose-api', 1, async (random) => {
      signal(farm.api().pid, 'SIGKILL');
      await farm.api().ended;
      await pause(graceMs + random.between(0, 6_000));
      await soak.startApi();
    }),
    fault('kill-api', 4, async (random) => {
      signal(farm.api().pid, 'SIGKILL');
      await farm.api().ended;
      await pause(random.between(0, 2_000));
      await soak.startApi();
    }),
    fault('stop-api', 2, async () => {
      await farm.api().stop();
      await soak.startApi();
    }),
    fault('freeze-api', 2, (random) => freeze([farm.api().pid], random.between(500, 12_000))),
  ];
}

/** What can happen to PostgreSQL and Redis. */
export function storeFaults(soak: SoakFarm): Fault[] {
  const { redis } = soak;
  const postgres: Fault[] = [
    {
      name: 'kill-postgres',
      target: 'PostgreSQL',
      weight: 3,
      make: async () => {
        const pid = soak.postgres();
        if (pid !== undefined) signal(pid, 'SIGKILL');
      },
    },
    {
      name: 'freeze-postgres',
      target: 'PostgreSQL',
      weight: 2,
      make: async (random) => {
        const pid = soak.postgres();
        if (pid !== undefined) await freeze(family(pid), random.between(500, 8_000));
      },
    },
  ];
  if (redis === undefined) return postgres;
  return [
    ...postgres,
    {
      name: 'kill-redis',
      target: 'Redis',
      weight: 4,
      make: async (random) => {
        await redis.kill();
        await pause(random.between(0, 4_000));
        redis.start();
      },
    },
    {
      name: 'freeze-redis',
      target: 'Redis',
      weight: 2,
      make: (random) => freeze([redis.pid()], random.between(500, 8_000)),
    },
  ];
}
