import type { Build, BuildSummary, Step } from '@loam/contracts';
import { describe, expect, it } from 'vitest';

import { withStep, withSummary } from './live-cache.ts';

const summary = (id: string, createdAt: number, state: BuildSummary['state'] = 'running') =>
  ({ id, createdAt, state, pool: 'linux' }) as BuildSummary;
const pages = (...items: BuildSummary[]) => ({ pages: [{ items, next: null }], pageParams: [undefined] });
const ids = (result: ReturnType<typeof withSummary>) =>
  result === 'stale' ? 'stale' : result.pages.flatMap((page) => page.items.map((item) => `${item.id}:${item.state}`));

describe('withSummary', () => {
  it('replaces a build in its place and puts a new one on top', () => {
    const list = pages(summary('b', 2), summary('a', 1));
    expect(ids(withSummary(list, summary('a', 1, 'failed'), {}))).toEqual(['b:running', 'a:failed']);
    expect(ids(withSummary(list, summary('c', 3), {}))).toEqual(['c:running', 'b:running', 'a:running']);
  });

  it('drops a build that no longer fits the filter and ignores one that never did', () => {
    const list = pages(summary('a', 1));
    expect(ids(withSummary(list, summary('a', 1, 'failed'), { state: 'running' }))).toEqual([]);
    expect(ids(withSummary(list, summary('z', 9, 'failed'), { state: 'running' }))).toEqual(['a:running']);
  });

  it('leaves alone what belongs on a page that is not loaded', () => {
    const list = { pages: [{ items: [summary('b', 5)], next: 'more' }], pageParams: [undefined] };
    expect(withSummary(list, summary('old', 3), {})).toBe(list);
  });

  it('asks the server when a search is on or the order is not clear', () => {
    expect(withSummary(pages(), summary('c', 3), { search: 'x' })).toBe('stale');
    expect(withSummary(pages(summary('b', 5)), summary('old', 3), {})).toBe('stale');
  });
});

describe('withStep', () => {
  it('replaces the step at its position only', () => {
    const step = (position: string, state: Step['state']) => ({ position, state }) as Step;
    const build = { stepRuns: [step('0', 'built'), step('dev/1', 'running')] } as Build;
    const next = withStep(build, step('dev/1', 'failed'));
    expect(next.stepRuns.map((run) => run.state)).toEqual(['built', 'failed']);
    expect(withStep(build, step('2', 'pending')).stepRuns).toHaveLength(3);
  });
});
