import type { Agent, Build, BuildSummary, LiveFrame, Step } from '@loam/contracts';
import { QueryClient } from '@tanstack/react-query';
import { afterEach, beforeEach, expect, it } from 'vitest';

import { LiveFrames } from './live-frames.ts';

let client: QueryClient;
let frames: LiveFrames;
let stop: () => void;

beforeEach(() => {
  client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  frames = new LiveFrames(client);
  stop = frames.start();
});
afterEach(() => {
  stop();
  client.clear();
});

const agent = (id: string, slots: number) => ({ id, slots }) as Agent;
const agentFrame = (one: Agent): LiveFrame => ({ type: 'agent', agent: one });
const step = (position: string, state: Step['state']) => ({ position, state }) as Step;
const stepFrame = (one: Step): LiveFrame => ({ type: 'step', buildId: 'bld_1', step: one });
const build = (...stepRuns: Step[]) => ({ id: 'bld_1', state: 'running', stepRuns }) as Build;

function fetching(queryKey: readonly unknown[]): {
  answer: (data: unknown) => Promise<unknown>;
  fail: () => Promise<unknown>;
} {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const fetched = client.fetchQuery({ queryKey, queryFn: () => promise, staleTime: 0 });
  return {
    answer(data) {
      resolve(data);
      return fetched;
    },
    fail() {
      reject(new Error('away'));
      return fetched.catch(() => undefined);
    },
  };
}

it('what comes while an answer is awaited is in it, though the answer was read before', async () => {
  const first = fetching(['agents']);
  frames.apply(agentFrame(agent('a', 1)));
  frames.apply(agentFrame(agent('a', 2)));
  await first.answer([agent('a', 0), agent('b', 0)]);
  expect(client.getQueryData(['agents'])).toEqual([agent('a', 2), agent('b', 0)]);
});

it('what was shown meanwhile is not taken back by an older answer', async () => {
  client.setQueryData(['build', 'bld_1'], build(step('0', 'built'), step('1', 'pending')));
  const again = fetching(['build', 'bld_1']);
  frames.apply(stepFrame(step('1', 'running')));
  frames.apply(stepFrame(step('1', 'built')));
  expect(client.getQueryData(['build', 'bld_1'])).toEqual(build(step('0', 'built'), step('1', 'built')));
  await again.answer(build(step('0', 'built'), step('1', 'pending')));
  expect(client.getQueryData(['build', 'bld_1'])).toEqual(build(step('0', 'built'), step('1', 'built')));
});

it('a whole build stands for the steps that were told before it', async () => {
  const first = fetching(['build', 'bld_1']);
  frames.apply(stepFrame(step('1', 'running')));
  frames.apply({ type: 'build', build: build(step('1', 'failed')) });
  await first.answer(build(step('1', 'pending')));
  expect(client.getQueryData(['build', 'bld_1'])).toEqual(build(step('1', 'failed')));
});

it('a list of builds that is being fetched gets the build, each list by its filter', async () => {
  const summary = (id: string, state: BuildSummary['state']) =>
    ({ id, state, createdAt: 1, pool: 'linux' }) as BuildSummary;
  const page = (...items: BuildSummary[]) => ({ pages: [{ items, next: null }], pageParams: [undefined] });
  const lists = [{}, { state: 'running' as const }].map((filter) => ({
    key: ['builds', filter],
    fetch: fetching(['builds', filter]),
  }));
  frames.apply({ type: 'build-summary', build: summary('x', 'failed') });
  for (const { fetch } of lists) await fetch.answer(page(summary('x', 'running')));
  expect(client.getQueryData(lists[0]!.key)).toEqual(page(summary('x', 'failed')));
  expect(client.getQueryData(lists[1]!.key)).toEqual(page());
});

it('what came before a fetch that failed is not told to a later one', async () => {
  const failing = fetching(['agents']);
  frames.apply(agentFrame(agent('a', 1)));
  await failing.fail();
  await fetching(['agents']).answer([agent('a', 5)]);
  expect(client.getQueryData(['agents'])).toEqual([agent('a', 5)]);
});
