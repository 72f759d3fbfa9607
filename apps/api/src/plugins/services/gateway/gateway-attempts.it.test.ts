import { TestClock } from '@loam/base';
import type { Build, Problem } from '@loam/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { ends, farmWithAgent, read, submit } from '../../../testing/farm-with-agent.ts';
import { smallSpec, startFarmHost, type FarmHost } from '../../../testing/farm.ts';
import { buildsAll, facts, ScriptedAgent, succeeded } from '../../../testing/scripted-agent.ts';
import { until } from '../../../testing/until.ts';

let host: FarmHost;
beforeAll(async () => {
  host = await startFarmHost();
});
afterAll(() => host.close());

test('an enrolment token works once', async () => {
  const farm = await host.farm();
  const { token } = (await farm.call('POST', '/enrolment-tokens', { pool: 'linux' })).json<{ token: string }>();
  expect((await farm.call('POST', '/agent/enrol', { token, name: 'a' })).statusCode).toBe(201);
  expect((await farm.call('POST', '/agent/enrol', { token, name: 'b' })).json<Problem>().code).toBe(
    'api.enrolment-refused',
  );
});

test('a wrong credential opens no link, a revoked one loses its link and its build at once', async () => {
  const { farm, agent, agentId } = await farmWithAgent(host);
  await expect(new ScriptedAgent(() => farm.url, 'loamagt_wrong').open()).rejects.toThrow('refused');
  agent.script = () => [];
  await agent.connect();
  const { id } = await submit(farm);
  await until(async () => (await read(farm, id)).state === 'running');
  expect((await farm.call('POST', `/agents/${agentId}/revoke`)).json<{ state: string }>().state).toBe('revoked');
  await until(() => agent.closeCode === 4001);
  expect(await read(farm, id)).toMatchObject({ state: 'queued', attempts: [{ state: 'lost' }] });
  await expect(agent.open()).rejects.toThrow('refused');
});

test('an agent of another protocol is turned away', async () => {
  const { agent } = await farmWithAgent(host);
  await agent.open();
  agent.send({ type: 'hello', protocol: 99, bootId: 'b', facts, slots: 1, attempts: [] });
  await until(() => agent.closeCode === 4002);
});

test('an offer that is refused goes to another agent', async () => {
  const { farm, agent } = await farmWithAgent(host);
  const offered = agent.next('offer');
  await agent.connect();
  const { id } = await submit(farm);
  const { offer } = await offered;
  const other = new ScriptedAgent(() => farm.url, (await farm.enrol('linux', 'soil-2')).credential);
  other.script = buildsAll;
  agent.send({ type: 'rejected', attemptId: offer.attemptId, fence: offer.fence, reason: 'disk full' });
  await other.connect();
  const build = await ends(farm, id);
  expect(build).toMatchObject({ state: 'succeeded', agentName: 'soil-2', attempts: [{ number: 1, fence: 2 }] });
  await Promise.all([agent.close(), other.close()]);
});

test('an offer that nobody answers in time goes to another agent', async () => {
  const clock = new TestClock(Date.now());
  const { farm, agent } = await farmWithAgent(host, { clock, timing: { offerMs: 10_000 } });
  const offered = agent.next('offer');
  await agent.connect();
  const { id } = await submit(farm);
  const { offer } = await offered;
  const other = new ScriptedAgent(() => farm.url, (await farm.enrol('linux', 'soil-2')).credential);
  other.script = buildsAll;
  await other.connect();
  await clock.advance(9_999);
  expect(await read(farm, id)).toMatchObject({ attempts: [{ id: offer.attemptId }] });
  await clock.advance(1);
  const build = await ends(farm, id);
  expect(build).toMatchObject({ state: 'succeeded', agentName: 'soil-2', attempts: [{ number: 1, fence: 2 }] });
  await Promise.all([agent.close(), other.close()]);
});

test('the builds of a pool go by priority, then by age, and a draining agent gets none', async () => {
  const { farm, agent, agentId } = await farmWithAgent(host);
  const ids = new Map<string, string>();
  for (const [title, priority] of [
    ['low', -1],
    ['first', 0],
    ['second', 0],
    ['high', 9],
  ] as const) {
    const build = (await farm.call('POST', '/builds', { spec: smallSpec, title, priority })).json<Build>();
    ids.set(build.id, title);
  }
  const order: (string | undefined)[] = [];
  agent.script = (offer, self) => {
    order.push(ids.get(offer.buildId));
    return buildsAll(offer, self);
  };
  await agent.connect();
  await until(() => order.length === 4);
  expect(order).toEqual(['high', 'first', 'second', 'low']);
  await farm.call('PATCH', `/agents/${agentId}`, { draining: true });
  const { id } = await submit(farm);
  expect((await read(farm, id)).waiting).toBe('Every connected agent of the pool "linux" is draining.');
  await farm.call('PATCH', `/agents/${agentId}`, { draining: false });
  await ends(farm, id);
  await agent.close();
});

test('an agent that stays away for longer than the time of grace loses its build, and can write nothing any more', async () => {
  const clock = new TestClock(Date.now());
  const { farm, agent, agentId } = await farmWithAgent(host, {
    clock,
    timing: { heartbeatMs: 5_000, graceMs: 30_000 },
  });
  agent.script = () => [];
  await agent.connect();
  const { id } = await submit(farm);
  await until(async () => (await read(farm, id)).state === 'running');
  const attemptId = [...agent.journals.keys()][0] as string;
  const journal = agent.journals.get(attemptId);
  await clock.advance(31_000);
  await until(async () => (await farm.services.db.agents.get(agentId))?.linkId === null);
  await farm.services.releaser.loseSilent();
  const lost = await until(async () => {
    const build = await read(farm, id);
    return build.state === 'queued' && build;
  });
  expect(lost.attempts).toMatchObject([{ state: 'lost' }]);
  agent.script = undefined;
  const welcome = await agent.connect();
  expect(welcome.attempts).toMatchObject([{ attemptId, live: false }]);
  const stale = agent.next('stale');
  agent.sendRecords(attemptId, [{ seq: 1, record: succeeded() }], journal?.offer.fence);
  expect(await stale).toEqual({ type: 'stale', attemptId });
  expect((await read(farm, id)).result).toBeNull();
  await agent.close();
});

test('an agent that has forgotten its attempt gets the build anew, under a higher fence', async () => {
  const { farm, agent } = await farmWithAgent(host);
  agent.script = () => [];
  await agent.connect();
  const { id } = await submit(farm);
  await until(async () => (await read(farm, id)).state === 'running');
  agent.cut();
  await until(() => agent.closeCode !== undefined);
  agent.journals.clear();
  agent.script = buildsAll;
  await agent.connect();
  const build = await ends(farm, id);
  expect(build.attempts.map(({ state, fence }) => [state, fence])).toEqual([
    ['lost', 1],
    ['succeeded', 2],
  ]);
  await agent.close();
});

test('secrets go to the holder of the attempt alone, are noted, and are gone when the build has ended', async () => {
  const { farm, agent } = await farmWithAgent(host);
  const value = 'hunter2-very-secret';
  const base64 = Buffer.from(value).toString('base64');
  await farm.call('PUT', '/secrets/kept', { value: Buffer.from('kept-secret-value').toString('base64') });
  agent.script = () => [];
  await agent.connect();
  const spec = '((from a:1) (run (secrets (s (target /s))) (shell "cat /s")))';
  const secrets = [
    { id: 's', value: base64 },
    { id: 'k', name: 'kept' },
  ];
  const submitted = await farm.call('POST', '/builds', { spec, secrets });
  const { id } = submitted.json<Build>();
  const attemptId = await until(() => [...agent.journals.keys()][0]);
  const fetchSecrets = (fence: number, credential: string): Promise<Response> =>
    fetch(`${farm.url}/api/v1/agent/attempts/${attemptId}/secrets`, {
      headers: { authorization: `Bearer ${credential}`, 'loam-fence': String(fence) },
    });
  const other = await farm.enrol('linux', 'soil-2');
  const own = agent.credential;
  expect((await fetchSecrets(1, other.credential)).status).toBe(409);
  expect((await fetchSecrets(2, own)).status).toBe(409);
  expect((await fetchSecrets(1, farm.token)).status).toBe(401);
  const answer = (await (await fetchSecrets(1, own)).json()) as { secrets: { id: string; value: string }[] };
  expect(
    answer.secrets.map((secret) => [secret.id, Buffer.from(secret.value, 'base64').toString()]).sort(byFirst),
  ).toEqual([
    ['k', 'kept-secret-value'],
    ['s', value],
  ]);
  expect((await farm.services.db.access.auditOf(id)).map((row) => row.action)).toContain('secrets.read');
  agent.record(attemptId, succeeded());
  await ends(farm, id);
  expect(await farm.services.db.builds.secrets(id)).toEqual([]);
  expect((await farm.call('POST', `/builds/${id}/retry`)).json<Problem>().code).toBe('api.secrets-gone');

  const everything = [
    submitted.body,
    (await farm.call('GET', `/builds/${id}`)).body,
    (await farm.call('GET', '/secrets')).body,
    ...farm.lines,
  ].join('\n');
  for (const hidden of [value, base64, 'kept-secret-value', farm.token, own]) expect(everything).not.toContain(hidden);
  await agent.close();
});

function byFirst(a: readonly unknown[], b: readonly unknown[]): number {
  return String(a[0]) < String(b[0]) ? -1 : 1;
}
