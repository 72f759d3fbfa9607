import { describe, expect, it } from 'vitest';

import { SharedWork } from './shared-work.ts';

describe('SharedWork', () => {
  it('does the work once for all who ask meanwhile, and anew for who asks later', async () => {
    const shared = new SharedWork<number, number>();
    let runs = 0;
    const start = async (): Promise<number> => {
      await Promise.resolve();
      return ++runs;
    };
    const both = [1, 2].map(() => shared.run('k', undefined, undefined, start));
    expect(await Promise.all(both)).toEqual([1, 1]);
    expect(await shared.run('k', undefined, undefined, start)).toBe(2);
  });

  it('who leaves does not end it for the others; the last one who leaves does', async () => {
    const shared = new SharedWork<string, number>();
    const [first, second] = [new AbortController(), new AbortController()];
    let aborted = false;
    const start = (signal: AbortSignal): Promise<string> =>
      new Promise((_, reject) =>
        signal.addEventListener('abort', () => {
          aborted = true;
          reject(new Error('aborted'));
        }),
      );
    const waiting = [first, second].map(({ signal }) => shared.run('k', signal, undefined, start));
    const outcomes = Promise.allSettled(waiting);
    first.abort();
    await expect(waiting[0]).rejects.toMatchObject({ code: 'general.cancelled' });
    expect(aborted).toBe(false);
    second.abort();
    await expect(waiting[1]).rejects.toMatchObject({ code: 'general.cancelled' });
    expect(aborted).toBe(true);
    await outcomes;
  });

  it('who comes later hears where it stands', async () => {
    const shared = new SharedWork<void, number>();
    const seen: number[] = [];
    let finish: () => void = () => undefined;
    const start = async (_: AbortSignal, report: (progress: number) => void): Promise<void> => {
      report(7);
      await new Promise<void>((resolve) => (finish = resolve));
    };
    const first = shared.run('k', undefined, undefined, start);
    await Promise.resolve();
    await Promise.resolve();
    const second = shared.run('k', undefined, (progress) => seen.push(progress), start);
    finish();
    await Promise.all([first, second]);
    expect(seen).toEqual([7]);
  });
});
