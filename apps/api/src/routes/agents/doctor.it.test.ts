import type { Agent, AgentDoctor, DoctorReport, Finding, Problem } from '@loam/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { startFarmHost, type FarmHost, type TestFarm } from '../../testing/farm.ts';
import { ScriptedAgent } from '../../testing/scripted-agent.ts';
import { until } from '../../testing/until.ts';

let host: FarmHost;
let farm: TestFarm;
beforeAll(async () => {
  host = await startFarmHost();
  farm = await host.farm();
  await farm.listen();
});
afterAll(() => host.close());

const finding = (id: string, status: Finding['status']): Finding => ({
  id,
  title: id,
  status,
  evidence: 'seen',
  meaning: 'means',
  remedy: null,
  fixable: false,
});

function reportOf(...findings: Finding[]): DoctorReport {
  return { at: 1, durationMs: 12, version: '0.1.0', platform: 'linux/amd64', findings };
}

async function enrolled(name: string): Promise<{ agent: ScriptedAgent; path: string }> {
  const { credential, agentId } = await farm.enrol('linux', name);
  return { agent: new ScriptedAgent(() => farm.url, credential), path: `/agents/${agentId}` };
}

test('a report is kept until the next one, with the time by the clock of the farm, and counted beside the agent', async () => {
  const { agent, path } = await enrolled('soil-1');
  await agent.connect();
  expect((await farm.call('GET', `${path}/doctor`)).json<AgentDoctor>()).toEqual({ report: null });
  expect((await farm.call('GET', path)).json<Agent>().doctor).toBeNull();
  const report = reportOf(finding('disk.space', 'problem'), finding('clock.skew', 'warning'), finding('a.b', 'ok'));
  agent.send({ type: 'doctor-report', report });
  const kept = await until(async () => (await farm.call('GET', `${path}/doctor`)).json<AgentDoctor>().report ?? false);
  expect(kept).toEqual({ ...report, at: expect.any(Number) });
  expect(kept.at).toBeGreaterThan(1_000_000);
  expect((await farm.call('GET', path)).json<Agent>().doctor).toEqual({ at: kept.at, problems: 1, warnings: 1 });
  // An old one, which a new link begins with.
  agent.send({ type: 'doctor-report', report: reportOf(finding('disk.space', 'ok')), ageMs: 3_600_000.5 });
  const old = await until(async () => {
    const { doctor } = (await farm.call('GET', path)).json<Agent>();
    return doctor?.problems === 0 && doctor;
  });
  expect(Date.now() - old.at).toBeGreaterThan(3_590_000);
  await agent.close();
});

test('a fresh report is asked of the agent, and refused when it is not connected', async () => {
  const { agent, path } = await enrolled('soil-2');
  const refused = await farm.call('POST', `${path}/doctor`);
  expect([refused.statusCode, refused.json<Problem>().code]).toEqual([409, 'api.agent-offline']);
  await agent.connect();
  const asked = agent.next('doctor');
  expect((await farm.call('POST', `${path}/doctor`)).statusCode).toBe(202);
  await asked;
  await agent.close();
});

test('an agent of no farm has no report', async () => {
  for (const method of ['GET', 'POST'] as const) {
    const answer = await farm.call(method, '/agents/agt_none/doctor');
    expect([answer.statusCode, answer.json<Problem>().code]).toEqual([404, 'api.agent-unknown']);
  }
});

test('a credential tells whose it is, until it is revoked', async () => {
  const { agent, path } = await enrolled('soil-3');
  const ask = () =>
    fetch(`${farm.url}/api/v1/agent/self`, { headers: { authorization: `Bearer ${agent.credential}` } });
  expect(await (await ask()).json()).toMatchObject({ name: 'soil-3', pool: 'linux' });
  await farm.call('POST', `${path}/revoke`);
  expect((await ask()).status).toBe(401);
});
