import { TestClock } from '@loam/base';
import type { Agent, AgentDoctor, Problem } from '@loam/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { ends, farmWithAgent, read, submit } from '../../../testing/farm-with-agent.ts';
import { smallSpec, startFarmHost, type FarmHost } from '../../../testing/farm.ts';
import { buildsAll, ScriptedAgent, stepIdOf, stepRecords, succeeded } from '../../../testing/scripted-agent.ts';
import { until } from '../../../testing/until.ts';

let host: FarmHost;
beforeAll(async () => {
  host = await startFarmHost();
});
afterAll(() => host.close());

test('records that come twice, or again after a restart in the middle, leave every log byte exactly once', async () => {
  const { farm, agent } = await farmWithAgent(host);
  agent.reconnects = true;
  agent.script = () => [];
  await agent.connect();
  const { id } = await submit(farm);
  const attemptId = await until(() => [...agent.journals.keys()][0]);
  const stepRunId = `${attemptId}-1`;
  agent.record(attemptId, { type: 'step-started', at: 1, position: '1', stepRunId, kind: 'run' });
  let expected = '';
  for (let n = 0; n < 60; n++) {
    const line = `line ${n} ${'x'.repeat(n)}\n`;
    agent.record(attemptId, {
      type: 'log',
      at: n,
      stepRunId,
      stream: 'stdout',
      offset: expected.length,
      data: Buffer.from(line).toString('base64'),
    });
    expected += line;
    const journal = agent.journals.get(attemptId);
    if (n % 7 === 3) agent.sendRecords(attemptId, journal?.records.slice(-5) ?? []);
    if (n % 20 === 10) agent.cut();
    if (n === 35) await farm.restart();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const [, ...rest] = stepRecords({ position: '1', stepRunId, stepId: stepIdOf(2) });
  agent.record(attemptId, ...rest.slice(-1), succeeded());
  const build = await ends(farm, id);
  expect(build.state).toBe('succeeded');
  expect(build.attempts).toHaveLength(1);
  expect((await farm.call('GET', `/logs/${stepRunId}`)).body).toBe(expected);
  await agent.close();
});

test('the commit of a step is seen while it lasts, with its beginning, and afterwards with its time; an exit code with its meaning', async () => {
  const { farm, agent } = await farmWithAgent(host);
  agent.script = () => [];
  await agent.connect();
  const { id } = await submit(farm);
  const attemptId = await until(() => [...agent.journals.keys()][0]);
  const stepRunId = `${attemptId}-1`;
  const progress = { type: 'step-progress', position: '1', currentBytes: null, totalBytes: null } as const;
  const stepOf = async () => (await read(farm, id)).stepRuns.find(({ position }) => position === '1');
  agent.record(attemptId, { type: 'step-started', at: 1000, position: '1', stepRunId, kind: 'run' });
  agent.record(attemptId, { ...progress, at: 2000, phase: 'running', elapsedMs: 500 });
  await until(async () => (await stepOf())?.phase === 'running');
  // In a message of its own: progress of a step that began in an earlier one.
  agent.record(attemptId, { ...progress, at: 9000, phase: 'committing', elapsedMs: 4000 });
  const committing = await until(async () => {
    const step = await stepOf();
    return step?.phase === 'committing' && step;
  });
  expect(committing).toMatchObject({ phaseStartedAt: 5000, phases: null });
  const [, end] = stepRecords({ position: '1', stepRunId, outcome: 'failed' });
  if (end?.type !== 'step-ended') throw new Error('no end');
  const phases = [
    { phase: 'running', durationMs: 3000 },
    { phase: 'committing', durationMs: 4200 },
  ];
  const exit = { kind: 'exited', code: 0xc0000005, meaning: '0xC0000005 (access violation)' } as const;
  agent.record(attemptId, { ...end, phases, exit }, succeeded());
  await ends(farm, id);
  expect(await stepOf()).toMatchObject({ phases, exit });
  await agent.close();
});

test('what a database cannot hold as text, as Windows may say it, keeps no build, report or quarantine from being stored', async () => {
  const { farm, agent, agentId } = await farmWithAgent(host);
  agent.script = () => [];
  await agent.connect();
  const { id } = await submit(farm);
  const attemptId = await until(() => [...agent.journals.keys()][0]);
  // A character that is none, half of a pair, and a directory that looks like the first.
  const said = 'a\0b \uD83D C:\\u0000';
  const kept = 'a\uFFFDb \uFFFD C:\\u0000';
  const error = { code: 'backend.run-failed', message: said, remedy: 'r', details: {}, causes: [] };
  const [begin, end] = stepRecords({ position: '1', stepRunId: `${attemptId}-1`, outcome: 'failed' });
  if (begin?.type !== 'step-started' || end?.type !== 'step-ended') throw new Error('no end');
  const failed = { type: 'attempt-ended', at: 2, outcome: 'failed', result: null, error } as const;
  agent.record(attemptId, begin, { ...end, error }, failed);
  expect((await ends(farm, id)).error?.message).toBe(kept);
  const finding = { id: 'a.b', title: 'a', status: 'ok', evidence: said, meaning: 'm', remedy: null, fixable: false };
  const report = { at: 1, durationMs: 1, version: '0', platform: 'windows/amd64', findings: [finding] } as const;
  agent.send({ type: 'doctor-report', report: { ...report, findings: [{ ...finding, status: 'ok' }] } });
  const reported = await until(
    async () => (await farm.call('GET', `/agents/${agentId}/doctor`)).json<AgentDoctor>().report ?? false,
  );
  expect(reported.findings[0]?.evidence).toBe(kept);
  agent.send({ type: 'quarantined', reason: said });
  const reasonOf = async () => (await farm.call('GET', `/agents/${agentId}`)).json<Agent>().reason;
  expect(await until(async () => (await reasonOf()) ?? false)).toContain(kept);
  await agent.close();
});

test('a plan is what the agent says, with how long its steps took before; without an agent every step is unknown', async () => {
  const { farm, agent } = await farmWithAgent(host);
  const away = (await farm.call('POST', '/plans', { spec: smallSpec })).json<{
    agentName: null;
    steps: { state: string }[];
  }>();
  expect([away.agentName, away.steps.map((step) => step.state)]).toEqual([null, ['unknown', 'unknown', 'unknown']]);
  agent.script = buildsAll;
  agent.plan = ({ requestId }) => ({
    type: 'planned',
    requestId,
    steps: [
      {
        position: '1',
        stage: [],
        kind: 'run',
        op: '(run …)',
        state: 'hit',
        stepId: stepIdOf(2),
        sizeBytes: 1,
        lastDurationMs: null,
        reason: null,
      },
    ],
  });
  await agent.connect();
  await ends(farm, (await submit(farm)).id);
  const plan = (await farm.call('POST', '/plans', { spec: smallSpec })).json<{
    agentName: string;
    steps: { lastDurationMs: number }[];
  }>();
  expect([plan.agentName, plan.steps[0]?.lastDurationMs]).toEqual(['soil-1', 12.5]);
  await agent.close();
});

test('who asks an agent that does not answer in time is told so', async () => {
  const clock = new TestClock(Date.now());
  const { farm, agent } = await farmWithAgent(host, { clock, timing: { requestMs: 10_000 } });
  const asked = agent.next('plan');
  await agent.connect();
  const [answer] = await Promise.all([
    farm.call('POST', '/plans', { spec: smallSpec }),
    asked.then(() => clock.advance(10_000)),
  ]);
  expect(answer.json<Problem>().code).toBe('api.agent-silent');
  await agent.close();
});

test('deleting a subtree tells first what would go, then has it removed, children first, also from an agent that was away', async () => {
  const { farm, agent, agentId } = await farmWithAgent(host);
  agent.script = buildsAll;
  await agent.connect();
  await ends(farm, (await submit(farm)).id);
  const dry = (await farm.call('DELETE', `/cache/${stepIdOf(2)}?dryRun=true`)).json<{
    steps: { id: string }[];
    freedBytes: number;
  }>();
  expect([dry.steps.map((step) => step.id), dry.freedBytes]).toEqual([[stepIdOf(3), stepIdOf(2)], 2000]);
  const asked: string[][] = [];
  agent.remove = (steps) => {
    asked.push(steps);
    return steps;
  };
  await agent.close();
  await until(async () => (await farm.services.db.agents.get(agentId))?.linkId === null);
  const late = (await farm.call('DELETE', `/cache/${stepIdOf(3)}`)).json<{
    pendingAgents: string[];
    steps: unknown[];
  }>();
  expect([late.pendingAgents, late.steps]).toEqual([['soil-1'], []]);
  const back = new ScriptedAgent(() => farm.url, agent.credential);
  back.remove = agent.remove;
  await back.connect();
  await until(() => asked.length === 1);
  expect(asked[0]).toEqual([stepIdOf(3)]);
  await farm.call('DELETE', `/cache/${stepIdOf(1)}`);
  expect(asked[1]).toEqual([stepIdOf(2), stepIdOf(1)]);
  expect((await farm.call('GET', '/cache')).json<{ nodes: unknown[] }>().nodes).toEqual([]);
  expect((await farm.call('GET', `/cache/${'f'.repeat(64)}`)).json<Problem>().code).toBe('api.step-unknown');
  await back.close();
});

test('the graph learns of steps that an agent holds though no attempt could tell: one that was lost had built them', async () => {
  const { farm, agent } = await farmWithAgent(host);
  agent.script = buildsAll;
  await agent.connect();
  await ends(farm, (await submit(farm)).id);
  const known = [stepIdOf(1), stepIdOf(2), stepIdOf(3)];
  // More than one message should hold: each step may come with as long an operation as a label of containerd can be.
  const lostSteps = Array.from({ length: 2_001 }, (_, index) => stepIdOf(8 + index));
  const asked: string[][] = [];
  agent.describe = (steps) => {
    asked.push(steps);
    const lost = { kind: 'run', op: '(run (shell lost))', platform: 'linux/amd64', sizeBytes: 77 } as const;
    return steps.map((stepId) => ({ ...lost, stepId, parentId: stepIdOf(3) }));
  };
  const steps = [...known, ...lostSteps].map((stepId) => ({ stepId, sizeBytes: 1 }));
  agent.send({ type: 'inventory', steps });
  type Nodes = { nodes: { id: string; parentId: string | null; op: string; replicas: unknown[] }[] };
  const lost = await until(async () => {
    const { nodes } = (await farm.call('GET', '/cache')).json<Nodes>();
    return nodes.length === steps.length ? nodes.find((node) => node.id === lostSteps[0]) : undefined;
  });
  expect(lost).toMatchObject({ parentId: stepIdOf(3), op: '(run (shell lost))', replicas: [{}] });
  expect(asked.flat().toSorted()).toEqual(lostSteps.toSorted());
  expect(Math.max(...asked.map((each) => each.length))).toBeLessThanOrEqual(2_000);
  await agent.close();
});
