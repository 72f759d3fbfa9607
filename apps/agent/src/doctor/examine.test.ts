import { LoamError, TestClock } from '@loam/base';
import { expect, test } from 'vitest';

import { defineCheck, ok, problem, warning, type AnyCheck } from './check.ts';
import { examine } from './examine.ts';
import { repair } from './repair.ts';
import { scriptedHost } from './testing/scripted-host.ts';

const check = (id: string, gather: () => Promise<unknown>, more: Partial<AnyCheck> = {}): AnyCheck => ({
  ...defineCheck({ id, title: id, gather, judge: () => ok('seen', 'means') }),
  ...more,
});
const about = { version: '0', platform: 'windows/amd64' };

test('a check that never ends is given up, and holds nobody up', async () => {
  const clock = new TestClock();
  const order: string[] = [];
  const report = examine(scriptedHost({ clock }), {
    ...about,
    checks: [
      check('a.hangs', () => new Promise(() => undefined), { timeLimitMs: 5000 }),
      check('a.quick', async () => 1),
    ],
    onFinding: ({ id }) => order.push(id),
  });
  await clock.advance(4999);
  await new Promise((resolve) => setImmediate(resolve));
  expect(order).toEqual(['a.quick']);
  await clock.advance(1);
  const { findings } = await report;
  expect(findings).toMatchObject([
    { id: 'a.hangs', status: 'unknown', evidence: 'Nothing came of it within 5 s.' },
    { id: 'a.quick', status: 'ok' },
  ]);
});

test('a check that breaks is a finding, and what needs containerd points at the finding about it', async () => {
  const { findings } = await examine(scriptedHost(), {
    ...about,
    checks: [
      check('a.broken', () => Promise.reject(new Error('tripped'))),
      check('a.needs', () => Promise.reject(LoamError.of('containerd.unavailable', {}))),
      check('a.farm', () => Promise.reject(LoamError.of('agent.not-enrolled', { file: 'f' }))),
    ],
  });
  expect(findings).toMatchObject([
    { id: 'a.broken', status: 'unknown', evidence: 'Error: tripped' },
    { id: 'a.needs', status: 'skipped', evidence: expect.stringContaining('containerd.reachable') },
    { id: 'a.farm', status: 'skipped', evidence: expect.stringContaining('no farm') },
  ]);
});

test('makes the checks of the platform, what was asked for alone, and some only then', async () => {
  const checks = [
    check('a.both', async () => 1),
    check('a.linux', async () => 1, { only: 'linux' }),
    check('a.asked', async () => 1, { onRequest: true }),
  ];
  const ids = async (only?: string[]): Promise<string[]> =>
    (await examine(scriptedHost(), { ...about, checks, ...(only ? { only } : {}) })).findings.map(({ id }) => id);
  expect(await ids()).toEqual(['a.both']);
  expect(await ids(['a.asked', 'a.linux'])).toEqual(['a.asked']);
});

test('shows the worst first and cuts what is too long', async () => {
  const long = 'x'.repeat(20_000);
  const { findings } = await examine(scriptedHost(), {
    ...about,
    checks: [
      check('a.ok', async () => 1),
      defineCheck({ id: 'a.warning', title: 't', gather: async () => 1, judge: () => warning(long, 'm', 'r') }),
      defineCheck({ id: 'a.problem', title: 't', gather: async () => 1, judge: () => problem('e', 'm', 'r') }),
    ],
  });
  expect(findings.map(({ id }) => id)).toEqual(['a.problem', 'a.warning', 'a.ok']);
  expect(findings[1]?.evidence).toHaveLength(8000);
});

test('puts right only what is fixable, says what failed, and does nothing while an agent runs', async () => {
  const repaired: string[] = [];
  const fixable = (id: string, work: () => Promise<string>): AnyCheck => ({
    ...defineCheck({ id, title: id, gather: async () => 1, judge: () => warning('e', 'm', 'r', true) }),
    repair: work,
  });
  const checks = [
    fixable('a.works', async () => `did ${repaired.push('a.works')}`),
    fixable('a.fails', () => Promise.reject(LoamError.of('backend.hcn-unavailable', {}))),
    check('a.fine', async () => 1, { repair: async () => `did ${repaired.push('a.fine')}` }),
  ];
  const host = scriptedHost();
  const report = await examine(host, { ...about, checks });
  expect(await repair(host, report, checks)).toEqual([
    { id: 'a.works', ok: true, what: 'did 1' },
    { id: 'a.fails', ok: false, what: expect.stringContaining('cannot reach the Host Network Service') },
  ]);
  const busy = scriptedHost({ agent: { kind: 'another', pid: '7' } });
  expect(await repair(busy, report, checks)).toMatchObject([{ ok: false }, { ok: false }]);
  expect(repaired).toEqual(['a.works']);
});
