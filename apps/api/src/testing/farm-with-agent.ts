import type { Build } from '@loam/contracts';

import { smallSpec, type FarmHost, type FarmOptions, type TestFarm } from './farm.ts';
import { ScriptedAgent } from './scripted-agent.ts';
import { until } from './until.ts';

/** A farm that listens, and an enrolled agent of it that has not connected yet. */
export async function farmWithAgent(
  host: FarmHost,
  options?: FarmOptions,
): Promise<{ farm: TestFarm; agent: ScriptedAgent; agentId: string }> {
  const farm = await host.farm(options);
  await farm.listen();
  const { credential, agentId } = await farm.enrol();
  return { farm, agent: new ScriptedAgent(() => farm.url, credential), agentId };
}

export const submit = async (farm: TestFarm): Promise<Build> =>
  (await farm.call('POST', '/builds', { spec: smallSpec })).json();

export const read = async (farm: TestFarm, id: string): Promise<Build> =>
  (await farm.call('GET', `/builds/${id}`)).json();

/** The build when it has ended. */
export const ends = (farm: TestFarm, id: string): Promise<Build> =>
  until(async () => {
    const build = await read(farm, id);
    return build.endedAt !== null && build;
  });
