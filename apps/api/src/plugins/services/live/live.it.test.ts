import type { Build, LiveFrame } from '@loam/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { smallSpec, startFarmHost, type FarmHost, type TestFarm } from '../../../testing/farm.ts';
import { buildsAll, ScriptedAgent, succeeded } from '../../../testing/scripted-agent.ts';
import { until } from '../../../testing/until.ts';
import { openViewer, type Viewer } from '../../../testing/viewer.ts';

let host: FarmHost;
let farm: TestFarm;
let agent: ScriptedAgent;
beforeAll(async () => {
  host = await startFarmHost();
  farm = await host.farm();
  await farm.listen();
  agent = new ScriptedAgent(() => farm.url, (await farm.enrol()).credential);
  await agent.connect();
});
afterAll(async () => {
  await agent.close();
  await host.close();
});

const viewer = (): Promise<Viewer> => openViewer(farm);
const submit = async (): Promise<Build> => (await farm.call('POST', '/builds', { spec: smallSpec })).json();

test('a watched build is whole first, then changes, and never goes back', async () => {
  agent.script = undefined;
  const { id } = await submit();
  const { frames, ask, close } = await viewer();
  ask({ type: 'watch-build', buildId: id });
  await until(() => frames.length > 0);
  expect(frames[0]).toMatchObject({ type: 'build', build: { id } });
  const offer = await until(() => agent.received.findLast((message) => message.type === 'offer'));
  agent.accept(offer.offer);
  for (const record of await buildsAll(offer.offer, agent)) agent.record(offer.offer.attemptId, record);
  await until(() => frames.some((frame) => frame.type === 'build' && frame.build.state === 'succeeded'));
  const order = ['queued', 'running', 'succeeded'];
  const states = frames.flatMap((frame) => (frame.type === 'build' ? [order.indexOf(frame.build.state)] : []));
  expect(states).toEqual(states.toSorted((a, b) => a - b));
  const last = frames.findLast((frame) => frame.type === 'build');
  expect(last?.build.stepRuns.map((step) => step.state)).toEqual(['built', 'built', 'built']);
  close();
});

test('a log is followed from any byte to its end, without a byte lost or doubled, by any number of viewers', async () => {
  agent.script = () => [];
  const before = new Set(agent.journals.keys());
  await submit();
  const attemptId = await until(() => [...agent.journals.keys()].find((key) => !before.has(key)));
  const logId = `${attemptId}-1`;
  agent.record(attemptId, { type: 'step-started', at: 1, position: '1', stepRunId: logId, kind: 'run' });
  let expected = '';
  const viewers: { from: number; frames: LiveFrame[]; close(): void }[] = [];
  for (let n = 0; n < 50; n++) {
    const text = `${n}:${'z'.repeat(n * 37)}\n`;
    agent.record(attemptId, {
      type: 'log',
      at: 1,
      stepRunId: logId,
      stream: 'stdout',
      offset: expected.length,
      data: Buffer.from(text).toString('base64'),
    });
    expected += text;
    if (n % 10 === 5) {
      await until(() => (agent.journals.get(attemptId)?.ackedSeq ?? 0) > 0);
      const { frames, ask, close } = await viewer();
      const from = n * 3;
      ask({ type: 'watch-log', logId, from });
      viewers.push({ from, frames, close });
    }
  }
  agent.record(attemptId, succeeded());
  for (const { from, frames, close } of viewers) {
    const end = await until(() => frames.find((frame) => frame.type === 'log-end'));
    expect(end).toEqual({ type: 'log-end', logId, size: expected.length });
    let text = '';
    for (const frame of frames) {
      if (frame.type !== 'log') continue;
      expect(frame.offset).toBe(from + text.length);
      text += Buffer.from(frame.data, 'base64').toString();
    }
    expect(text).toBe(expected.slice(from));
    close();
  }
});

test('lists show what there is, then what changes; what cannot be watched is an error frame', async () => {
  agent.script = buildsAll;
  const { frames, ask, close } = await viewer();
  ask({ type: 'watch-builds' });
  ask({ type: 'watch-agents' });
  ask({ type: 'watch-build', buildId: 'bld_none' });
  ask({ type: 'watch-log', logId: 'none', from: 0 });
  ask({ type: 'dance' } as never);
  const { id } = await submit();
  await until(() =>
    frames.some(
      (frame) => frame.type === 'build-summary' && frame.build.id === id && frame.build.state === 'succeeded',
    ),
  );
  await until(() => frames.some((frame) => frame.type === 'agent'));
  const errors = await until(() => {
    const codes = frames.flatMap((frame) => (frame.type === 'error' ? [frame.code] : []));
    return codes.length === 3 && codes;
  });
  expect(errors.toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
    'api.bad-live-request',
    'api.build-unknown',
    'api.log-unknown',
  ]);
  close();
});
