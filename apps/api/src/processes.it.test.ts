import type { Build, LiveFrame } from '@loam/contracts';
import { startRedis, type RedisServer } from '@loam/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { smallSpec, startFarmHost, type FarmHost, type TestFarm } from './testing/farm.ts';
import { buildsAll, ScriptedAgent, stepIdOf, type Script } from './testing/scripted-agent.ts';
import { until } from './testing/until.ts';
import { openViewer } from './testing/viewer.ts';

let host: FarmHost;
let redis: RedisServer;
let agents: ScriptedAgent[];
beforeAll(async () => void ([host, redis] = await Promise.all([startFarmHost(), startRedis()])));
beforeEach(() => void (agents = []));
afterEach(() => Promise.all(agents.map((agent) => agent.close())));
afterAll(async () => {
  await host.close();
  await redis.stop();
});

async function join(
  farm: TestFarm,
  script: Script,
  name = 'soil-1',
): Promise<{ agent: ScriptedAgent; agentId: string }> {
  const { credential, agentId } = await farm.enrol('linux', name);
  const agent = new ScriptedAgent(() => farm.url, credential);
  agents.push(agent);
  agent.script = script;
  await agent.connect();
  return { agent, agentId };
}

const submit = async (farm: TestFarm, spec = smallSpec): Promise<string> =>
  (await farm.call('POST', '/builds', { spec })).json<Build>().id;
const get = async (farm: TestFarm, id: string): Promise<Build> => (await farm.call('GET', `/builds/${id}`)).json();
const ended = (farm: TestFarm, id: string): Promise<Build> =>
  until(async () => {
    const build = await get(farm, id);
    return build.endedAt !== null && build;
  });

describe('the queue on Redis', () => {
  test('a build goes its way; when Redis is killed with all that it held, no build is lost', async () => {
    const farm = await host.farm({ queueUrl: redis.url, isShared: true });
    await farm.services.start();
    await farm.listen();
    const { agent } = await join(farm, buildsAll);
    expect((await ended(farm, await submit(farm))).state).toBe('succeeded');

    // One is under way, more wait for its slot; then their jobs are gone.
    let finish: (() => void) | undefined;
    agent.script = async (offer, self) => {
      await new Promise<void>((resolve) => (finish = resolve));
      return buildsAll(offer, self);
    };
    const ids = [await submit(farm), await submit(farm), await submit(farm)];
    await until(() => finish !== undefined);
    await redis.kill9();
    const meanwhile = await farm.call('POST', '/builds', { spec: smallSpec });
    expect(meanwhile.statusCode).toBe(201);
    ids.push(meanwhile.json<Build>().id);
    agent.script = buildsAll;
    await redis.restart();
    finish?.();
    for (const id of ids)
      expect(await ended(farm, id)).toMatchObject({ state: 'succeeded', attempts: [{ number: 1 }] });
  });

  test('builds that waited while the API was down and Redis was emptied are taken up at its start', async () => {
    const farm = await host.farm({ queueUrl: redis.url, isShared: true });
    const ids = [await submit(farm), await submit(farm)];
    await redis.kill9();
    await redis.restart();
    await farm.restart();
    await farm.services.start();
    await farm.listen();
    await join(farm, buildsAll);
    for (const id of ids) expect((await ended(farm, id)).state).toBe('succeeded');
  });
});

describe.each(['postgres', 'redis'] as const)('two API processes on one database, queue on %s', (kind) => {
  let first: TestFarm;
  let second: TestFarm;
  beforeAll(async () => {
    first = await host.farm({ isShared: true, ...(kind === 'redis' ? { queueUrl: redis.url } : {}) });
    second = await first.sibling();
    await first.listen();
    await second.listen();
  });

  test('what is submitted to one runs on the agent of the other, and viewers of both see it', async () => {
    const { agentId } = await join(second, buildsAll);
    const viewers = [await openViewer(first), await openViewer(second)];
    for (const viewer of viewers) viewer.ask({ type: 'watch-builds' });
    const id = await submit(first);
    for (const viewer of viewers) viewer.ask({ type: 'watch-build', buildId: id });
    const isDone = (frame: LiveFrame): boolean =>
      frame.type === 'build' && frame.build.id === id && frame.build.state === 'succeeded';
    const isListed = (frame: LiveFrame): boolean =>
      frame.type === 'build-summary' && frame.build.id === id && frame.build.state === 'succeeded';
    for (const { frames } of viewers) await until(() => frames.some(isDone) && frames.some(isListed));
    const build = await get(first, id);
    expect(build.attempts).toMatchObject([{ agentId, state: 'succeeded' }]);
    // Segment files are in the data directory that both have: what is stored can be read at either.
    expect((await first.call('GET', `/logs/${build.stepRuns[1]?.logId}`)).body).toBe('one\n');
    for (const viewer of viewers) viewer.close();
    await agents.pop()?.close();
  });

  test('a cancellation, a drain and a removal reach an agent that is connected to the other', async () => {
    const { agent, agentId } = await join(second, () => [], 'soil-2');
    const id = await submit(first);
    await until(async () => (await get(first, id)).state === 'running');
    const cancel = agent.next('cancel');
    await first.call('POST', `/builds/${id}/cancel`);
    const { attemptId } = await cancel;
    agent.record(attemptId, { type: 'attempt-ended', at: 1, outcome: 'cancelled', result: null, error: null });
    expect((await ended(first, id)).state).toBe('cancelled');

    agent.script = buildsAll;
    expect((await ended(first, await submit(first))).state).toBe('succeeded');
    agent.remove = (steps) => steps;
    const removal = agent.next('remove');
    await first.call('DELETE', `/cache/${stepIdOf(2)}`);
    expect((await removal).steps).toEqual([stepIdOf(3), stepIdOf(2)]);
    await until(async () => (await first.services.db.cache.toRemove(agentId)).length === 0);

    await first.call('PATCH', `/agents/${agentId}`, { draining: true });
    await until(() => second.services.gateway.link(agentId)?.standing.draining);
  });

  test('an agent that is connected to the other is asked to examine its host, and its report is read from both', async () => {
    const { agent, agentId } = await join(second, () => [], 'soil-4');
    const asked = agent.next('doctor');
    expect((await first.call('POST', `/agents/${agentId}/doctor`)).statusCode).toBe(202);
    await asked;
    const report = { at: 1, durationMs: 1, version: '0', platform: 'linux/amd64', findings: [] };
    agent.send({ type: 'doctor-report', report });
    const read = async () =>
      (await first.call('GET', `/agents/${agentId}/doctor`)).json<{ report: { version: string } | null }>().report;
    expect((await until(async () => (await read()) ?? false)).version).toBe('0');
  });

  test('a plan says when the agents of the pool are connected to another process', async () => {
    await join(second, buildsAll, 'soil-3');
    const plan = (await first.call('POST', '/plans', { spec: smallSpec })).json<{ steps: { reason: string }[] }>();
    expect(plan.steps[0]?.reason).toContain('another process');
  });
});
