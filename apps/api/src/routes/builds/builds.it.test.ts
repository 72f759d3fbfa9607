import type { Build, BuildSummary, PageOf, Problem } from '@loam/contracts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { smallSpec, startFarmHost, type FarmHost, type TestFarm } from '../../testing/farm.ts';
import { buildsAll, ScriptedAgent, stepIdOf } from '../../testing/scripted-agent.ts';
import { until } from '../../testing/until.ts';

let host: FarmHost;
let farm: TestFarm;
beforeAll(async () => {
  host = await startFarmHost();
  farm = await host.farm();
});
afterAll(() => host.close());

const nested = `((build dev ((from alpine) (run (shell "make")) (env A b) (build-less)))
 (from busybox) (run (shell "true")))`;

describe('submitting a build', () => {
  test('answers 201 with the build queued, its steps planned and why it waits', async () => {
    const response = await farm.call('POST', '/builds', {
      spec: '((build dev ((from alpine:3) (workdir /src) (run (shell "make")))) (from busybox:1) (copy (from (build dev)) (src /out) (dst /out)))',
      title: 'nested',
    });
    expect(response.statusCode).toBe(201);
    const build = response.json<Build>();
    expect(response.headers['location']).toBe(`/api/v1/builds/${build.id}`);
    expect(build.state).toBe('queued');
    expect(build.waiting).toBe('No agent of the pool "linux" was ever enrolled.');
    expect(build.stepRuns.map(({ position, stage, kind, state }) => [position, stage, kind, state])).toEqual([
      ['dev/0', ['dev'], 'from', 'pending'],
      ['dev/1', ['dev'], 'run', 'pending'],
      ['0', [], 'from', 'pending'],
      ['1', [], 'copy', 'pending'],
    ]);
  });

  test('steps of nested builds that share a name, or have a strange one, have the positions that the engine gives them', async () => {
    const spec = '((build a ((from x))) (build a ((from y))) (build "b/c" ((from z))) (from w))';
    const build = (await farm.call('POST', '/builds', { spec })).json<Build>();
    expect(build.stepRuns.map((step) => step.position)).toEqual(['a/0', 'a~2/0', 'b%2Fc/0', '0']);
  });

  test('refuses a wrong spec with every position, and no build', async () => {
    const before = (await farm.call('GET', '/builds')).json<PageOf<BuildSummary>>().items.length;
    const response = await farm.call('POST', '/builds', { spec: nested });
    expect(response.statusCode).toBe(422);
    expect(response.headers['content-type']).toContain('application/problem+json');
    const problem = response.json<Problem>();
    expect(problem.code).toBe('api.spec-invalid');
    expect(problem.diagnostics?.[0]?.range.start).toMatchObject({ line: 1 });
    expect((await farm.call('GET', '/builds')).json<PageOf<BuildSummary>>().items).toHaveLength(before);
  });

  test('the same key and request make one build, even at the same time', async () => {
    const body = { spec: smallSpec };
    const responses = await Promise.all(
      Array.from({ length: 8 }, () => farm.call('POST', '/builds', body, { 'idempotency-key': 'k1' })),
    );
    expect(new Set(responses.map((response) => response.json<Build>().id)).size).toBe(1);
    expect(responses.map((response) => response.statusCode).sort((a, b) => a - b)).toEqual([
      200, 200, 200, 200, 200, 200, 200, 201,
    ]);
  });

  test('a key that comes back with another request is refused', async () => {
    await farm.call('POST', '/builds', { spec: smallSpec }, { 'idempotency-key': 'k2' });
    const response = await farm.call('POST', '/builds', { spec: smallSpec, title: 'x' }, { 'idempotency-key': 'k2' });
    expect([response.statusCode, response.json<Problem>().code]).toEqual([409, 'api.idempotency-key-reused']);
  });

  test.each([
    [{ spec: 1 }, 400, 'api.invalid-request'],
    [{ spec: smallSpec, colour: 'red' }, 400, 'api.invalid-request'],
    [{ spec: smallSpec, context: `sha256:${'0'.repeat(64)}` }, 201, undefined],
    [{ spec: '((from a:1) (copy (src .) (dst /)))', context: `sha256:${'0'.repeat(64)}` }, 422, 'api.context-unknown'],
    [{ spec: smallSpec, secrets: [{ id: 'a', name: 'nobody-knows' }] }, 422, 'api.secret-unknown'],
    [{ spec: smallSpec, secrets: [{ id: 'a', value: '%%%' }] }, 422, 'api.bad-secret'],
  ])('%j → %i %s', async (body, status, code) => {
    const response = await farm.call('POST', '/builds', body);
    expect([response.statusCode, response.json<Partial<Problem>>().code]).toEqual([status, code]);
  });

  test.each(['text/plain', 'text/plain; charset=utf-8', 'application/octet-stream', 'text/x-unknown'])(
    'a body of the type %s is refused as such, with the type that is expected',
    async (type) => {
      const response = await farm.app.inject({
        method: 'POST',
        url: '/api/v1/builds',
        headers: { authorization: `Bearer ${farm.token}`, 'content-type': type },
        payload: JSON.stringify({ spec: smallSpec }),
      });
      const { code, remedy } = response.json<Problem>();
      expect([response.statusCode, code]).toEqual([415, 'api.unsupported-body']);
      expect(remedy).toContain('application/json');
    },
  );

  test('what is not JSON is told so, without internals', async () => {
    const response = await farm.app.inject({
      method: 'POST',
      url: '/api/v1/builds',
      headers: { authorization: `Bearer ${farm.token}`, 'content-type': 'application/json' },
      payload: '{"spec": ',
    });
    expect(response.json<Problem>().code).toBe('api.not-json');
    expect(response.body).not.toContain('at position');
  });
});

describe('listing builds', () => {
  test('pages by cursor show every build once, newest first, whatever is added meanwhile', async () => {
    const own = await host.farm();
    const ids: string[] = [];
    for (let n = 0; n < 7; n++) {
      ids.unshift((await own.call('POST', '/builds', { spec: smallSpec, title: `n${n}` })).json<Build>().id);
    }
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const query: string = cursor === null ? '' : `&cursor=${cursor}`;
      const page: PageOf<BuildSummary> = (await own.call('GET', `/builds?limit=3${query}`)).json();
      seen.push(...page.items.map((build) => build.id));
      cursor = page.next;
      await own.call('POST', '/builds', { spec: smallSpec, title: 'later' });
    } while (cursor !== null);
    expect(seen).toEqual(ids);
  });

  test('filters by state, pool and text', async () => {
    const own = await host.farm();
    await own.call('POST', '/builds', { spec: smallSpec, title: '100% wool', pool: 'a' });
    await own.call('POST', '/builds', { spec: smallSpec, title: 'cotton', pool: 'b' });
    const titles = async (query: string): Promise<(string | null)[]> =>
      (await own.call('GET', `/builds?${query}`)).json<PageOf<BuildSummary>>().items.map((build) => build.title);
    expect(await titles('pool=a')).toEqual(['100% wool']);
    expect(await titles('search=0%25')).toEqual(['100% wool']);
    expect(await titles('search=_otton')).toEqual([]);
    expect(await titles('state=running')).toEqual([]);
    expect(await titles('state=queued')).toHaveLength(2);
  });

  test('a cursor that is not ours is refused', async () => {
    const response = await farm.call('GET', '/builds?cursor=abc');
    expect([response.statusCode, response.json<Problem>().code]).toEqual([400, 'api.bad-cursor']);
  });
});

describe('cancelling and retrying', () => {
  test('a queued build is cancelled at once, and only once', async () => {
    const { id } = (await farm.call('POST', '/builds', { spec: smallSpec })).json<Build>();
    const cancelled = await farm.call('POST', `/builds/${id}/cancel`);
    expect(cancelled.json<Build>()).toMatchObject({ state: 'cancelled', cancelRequested: true });
    expect(cancelled.json<Build>().stepRuns.every((step) => step.state === 'skipped')).toBe(true);
    expect((await farm.call('POST', `/builds/${id}/cancel`)).json<Problem>().code).toBe('api.build-ended');
  });

  test('a retry is a new build of the same', async () => {
    const old = (await farm.call('POST', '/builds', { spec: smallSpec, title: 't', priority: 5 })).json<Build>();
    expect((await farm.call('POST', `/builds/${old.id}/retry`)).json<Problem>().code).toBe('api.build-not-ended');
    await farm.call('POST', `/builds/${old.id}/cancel`);
    const retry = await farm.call('POST', `/builds/${old.id}/retry`);
    expect(retry.statusCode).toBe(201);
    expect(retry.json<Build>()).toMatchObject({ retryOf: old.id, title: 't', priority: 5, state: 'queued' });
  });

  test('an unknown build is a 404 everywhere', async () => {
    for (const [method, path] of [
      ['GET', ''],
      ['POST', '/cancel'],
      ['POST', '/retry'],
    ] as const) {
      const response = await farm.call(method, `/builds/bld_0${path}`);
      expect([response.statusCode, response.json<Problem>().code]).toEqual([404, 'api.build-unknown']);
    }
  });
});

describe('a build on an agent', () => {
  test('goes from the queue to its result, with steps, logs, cache graph and replicas true at its end', async () => {
    const own = await host.farm();
    await own.listen();
    const { credential, agentId } = await own.enrol();
    const agent = new ScriptedAgent(() => own.url, credential);
    agent.script = buildsAll;
    await agent.connect();
    const { id } = (await own.call('POST', '/builds', { spec: smallSpec })).json<Build>();
    const build = await until(async () => {
      const now = (await own.call('GET', `/builds/${id}`)).json<Build>();
      return now.state === 'succeeded' && now;
    });
    expect(build.stepRuns.map((step) => [step.position, step.state, step.logBytes])).toEqual([
      ['0', 'built', 0],
      ['1', 'built', 4],
      ['2', 'built', 4],
    ]);
    expect(build.result).toBe(stepIdOf(3));
    expect(build.attempts).toMatchObject([{ number: 1, fence: 1, agentId, state: 'succeeded' }]);
    const log = await own.call('GET', `/logs/${build.stepRuns[1]?.logId}`);
    expect([log.body, log.headers['loam-log-ended']]).toEqual(['one\n', 'true']);
    const graph = (await own.call('GET', '/cache')).json<{
      nodes: { id: string; parentId: string | null; replicas: unknown[] }[];
    }>();
    expect(graph.nodes.map((node) => [node.id, node.parentId, node.replicas.length]).sort(byFirst)).toEqual([
      [stepIdOf(1), null, 1],
      [stepIdOf(2), stepIdOf(1), 1],
      [stepIdOf(3), stepIdOf(2), 1],
    ]);
    await agent.close();
  });

  test('a running build that is cancelled tells its agent, and ends when the agent has stopped it', async () => {
    const own = await host.farm();
    await own.listen();
    const agent = new ScriptedAgent(() => own.url, (await own.enrol()).credential);
    agent.script = () => [];
    await agent.connect();
    const { id } = (await own.call('POST', '/builds', { spec: smallSpec })).json<Build>();
    await until(async () => (await own.call('GET', `/builds/${id}`)).json<Build>().state === 'running');
    const cancel = agent.next('cancel');
    await own.call('POST', `/builds/${id}/cancel`);
    const { attemptId } = await cancel;
    agent.record(attemptId, { type: 'attempt-ended', at: 1, outcome: 'cancelled', result: null, error: null });
    await until(async () => (await own.call('GET', `/builds/${id}`)).json<Build>().state === 'cancelled');
    await agent.close();
  });
});

function byFirst(a: readonly unknown[], b: readonly unknown[]): number {
  return String(a[0]) < String(b[0]) ? -1 : 1;
}
