import path from 'node:path';

import { startFarm, type Farm } from '../../tools/farm/farm.ts';
import { startProgram } from '../../tools/farm/process.ts';
import { pause } from './fault.ts';
import type { SoakOptions } from './options.ts';
import { pidIn } from './processes.ts';
import { startAgent, type SoakAgent } from './soak-agent.ts';
import { startRedis, type SoakRedis } from './soak-redis.ts';

const slots = 3;
/** After which silence an agent's builds go to others. Short, so that a soak sees it often. */
export const graceMs = 10_000;

/** A farm of two agents, each with its own containerd, and handles on all that can be killed. */
export interface SoakFarm {
  readonly farm: Farm;
  readonly directory: string;
  readonly agents: readonly SoakAgent[];
  readonly redis: SoakRedis | undefined;
  readonly postgres: () => number | undefined;
  /** Starts the API as a service manager would: again, until it stays. */
  startApi(): Promise<void>;
  stop(): Promise<void>;
}

export async function startSoakFarm(
  directory: string,
  options: SoakOptions,
  say: (text: string) => void,
): Promise<SoakFarm> {
  const redis = options.queue === 'redis' ? await startRedis(path.join(directory, 'redis')) : undefined;
  const farm = await startFarm({
    dataDirectory: directory,
    listen: '127.0.0.1:0',
    agent: false,
    say,
    env: { LOAM_AGENT_GRACE_MS: String(graceMs), ...(redis === undefined ? {} : { LOAM_QUEUE_URL: redis.url }) },
  });
  const agents: SoakAgent[] = [];
  const stop = async (): Promise<void> => {
    for (const agent of agents) await agent.close();
    await farm.stop();
    await redis?.stop();
  };
  try {
    for (const name of ['loam', 'clay']) {
      say(`Enrolling ${name} …`);
      const onEnd = (how: string): void => say(`  ${name} ended by itself: ${how}`);
      agents.push(await startAgent({ farm, name, slots, directory, startProgram, onEnd }));
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    farm,
    directory,
    agents,
    redis,
    postgres: () => pidIn(path.join(directory, 'api', 'postgres', 'postmaster.pid')),
    async startApi() {
      for (let attempt = 1; ; attempt++) {
        try {
          await farm.startApi();
          return;
        } catch (error) {
          say(`  the API did not start (attempt ${attempt}): ${(error as Error).message.split('\n')[0]}`);
          if (attempt === 10) throw error;
          await pause(1000);
        }
      }
    },
    stop,
  };
}
