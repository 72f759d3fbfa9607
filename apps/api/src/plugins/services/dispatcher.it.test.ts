import type { Build } from '@loam/contracts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { startFarmHost, type FarmHost, type TestFarm } from '../../testing/farm.ts';
import { ScriptedAgent, stepIdOf, stepRecords, succeeded, type Script } from '../../testing/scripted-agent.ts';
import { until } from '../../testing/until.ts';

let host: FarmHost;
let farm: TestFarm;
let agents: { agent: ScriptedAgent; agentId: string }[];
beforeAll(async () => void (host = await startFarmHost()));
afterAll(() => host.close());
beforeEach(async () => {
  farm = await host.farm();
  await farm.listen();
  agents = [await join('soil-1'), await join('soil-2')];
});
afterEach(() => Promise.all(agents.map(({ agent }) => agent.close())));

async function join(name: string): Promise<{ agent: ScriptedAgent; agentId: string }> {
  const { credential, agentId } = await farm.enrol('linux', name);
  const agent = new ScriptedAgent(() => farm.url, credential);
  agent.slots = 2;
  agent.script = builds;
  await agent.connect();
  return { agent, agentId };
}

/** Builds every step of the spec; the id of a step is that of its op, whichever build has it. */
const builds: Script = (offer) => {
  const ops = [...offer.spec.matchAll(/\((?:from|run)[^()]*(?:\([^()]*\))?\)/g)].map((match) => match[0]);
  return [
    ...ops.flatMap((op, position) =>
      stepRecords({
        position: String(position),
        stepRunId: `${offer.attemptId}-${position}`,
        kind: op.startsWith('(from') ? 'from' : 'run',
        stepId: idOf(op),
        parentId: position === 0 ? null : idOf(ops[position - 1] as string),
      }).map((record) => (record.type === 'step-ended' ? { ...record, op } : record)),
    ),
    succeeded(idOf(ops.at(-1) as string)),
  ];
};
const ids = new Map<string, string>();
function idOf(op: string): string {
  const id = ids.get(op) ?? stepIdOf(ids.size + 1);
  ids.set(op, id);
  return id;
}

const submit = async (spec: string): Promise<string> => (await farm.call('POST', '/builds', { spec })).json<Build>().id;
/** Which agent a build went to. */
async function agentOf(id: string): Promise<string> {
  return until(async () => (await farm.call('GET', `/builds/${id}`)).json<Build>().attempts[0]?.agentId);
}
async function ranOn(spec: string): Promise<string> {
  const id = await submit(spec);
  await until(async () => (await farm.call('GET', `/builds/${id}`)).json<Build>().state === 'succeeded');
  return agentOf(id);
}

const spec = '((from a) (run (shell "make all")) (run (shell "make test")))';

describe('of two agents of a pool', () => {
  test('the one that has the snapshots gets the build again, also when the other has more room', async () => {
    const home = await ranOn(spec);
    const [at, other] = agents[0]?.agentId === home ? agents : agents.toReversed();
    // One of its two slots is taken now.
    if (at) at.agent.script = () => [];
    const holding = await submit(spec);
    expect(await agentOf(holding)).toBe(home);
    if (at) at.agent.script = builds;
    expect(await ranOn(spec)).toBe(home);
    // What it cannot take goes to the other rather than wait.
    if (at) at.agent.script = () => [];
    expect(await agentOf(await submit(spec))).toBe(home);
    expect(await agentOf(await submit(spec))).toBe(other?.agentId);
  });

  test('an edited spec goes to the one that has what was not edited', async () => {
    const home = await ranOn(spec);
    const elsewhere = '((from b) (run (shell other)))';
    await farm.call('PATCH', `/agents/${home}`, { draining: true });
    expect(await ranOn(elsewhere)).not.toBe(home);
    await farm.call('PATCH', `/agents/${home}`, { draining: false });
    await until(() => farm.services.gateway.link(home)?.isFree);
    expect(await ranOn(spec.replace('make test', 'make check'))).toBe(home);
    expect(await ranOn(elsewhere.replace('other', 'another'))).not.toBe(home);
  });

  test('of equals the one with more free slots is taken, and a draining one never', async () => {
    for (const { agent } of agents) agent.script = () => [];
    const first = await agentOf(await submit('((from x) (run (shell 1)))'));
    const second = await agentOf(await submit('((from y) (run (shell 2)))'));
    expect(second).not.toBe(first);
    await farm.call('PATCH', `/agents/${first}`, { draining: true });
    expect(await agentOf(await submit('((from z) (run (shell 3)))'))).toBe(second);
    const waiting = await submit('((from w) (run (shell 4)))');
    const build = (await farm.call('GET', `/builds/${waiting}`)).json<Build>();
    expect([build.state, build.waiting]).toEqual(['queued', 'The only agent is busy.']);
  });
});
