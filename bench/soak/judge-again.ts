import { pause } from './fault.ts';
import type { SoakFarm } from './soak-farm.ts';
import type { Submitted, Traffic } from './traffic.ts';

const sampleMax = 25;
const timeoutMs = 30_000;

/** Builds that succeeded are found whole in the cache when they are submitted once more to a farm at peace. */
export async function judgeAgain({ farm }: SoakFarm, traffic: Traffic): Promise<string[]> {
  const findings: string[] = [];
  // The one that has the steps may just be linking: the farm would rather build them on another than wait.
  const end = Date.now() + timeoutMs;
  while ((await farm.client.agents()).items.some((agent) => agent.state !== 'online') && Date.now() < end) {
    await pause(100);
  }
  const succeeded = traffic.submitted.filter((build) => build.end === 'succeeded' && build.shape.name !== 'secret');
  for (const build of succeeded.slice(-sampleMax)) findings.push(...(await again(build)));
  return findings;

  async function again({ id, shape }: Submitted): Promise<string[]> {
    const { context } = await farm.client.build(id);
    const body = { ...shape.submission, ...(context === null ? {} : { context }) };
    const { id: second } = await farm.client.submit(body);
    const end = Date.now() + timeoutMs;
    for (;;) {
      const build = await farm.client.build(second);
      if (build.endedAt !== null) {
        const { total, hit } = build.steps;
        const where = `${shape.name} ${id} submitted again as ${second}`;
        if (build.state !== 'succeeded') return [`${where} ${build.state}: ${build.error?.code}`];
        return hit === total ? [] : [`${where} found ${hit} of ${total} steps in the cache`];
      }
      if (Date.now() > end) return [`${shape.name} ${id} submitted again as ${second} is ${build.state} after 30 s`];
      await pause(50);
    }
  }
}
