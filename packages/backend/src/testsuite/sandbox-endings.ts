import { expect, it } from 'vitest';

import type { SnapshotName } from '../index.ts';
import type { SandboxHarness } from './harness.ts';
import { onWorking, run } from './sandbox-support.ts';
import { freshName, pause, rejection, textOf } from './support.ts';

/** Writes `/late` after a moment, in the background. */
const late = '(sleep 0.5; echo late > /late) &';
const afterLate = 900;

export function endingTests(open: () => Promise<SandboxHarness>): void {
  it('the control: left alone, the child in the background does write', async () => {
    const harness = await open();
    const name = await commitAfter(harness, async (working) => {
      await run(harness, `${late} sleep 0.8`, { working });
    });
    expect(await textOf(harness.store, name, 'late')).toBe('late\n');
  });

  it('when the process has ended nothing of it runs any more, children in the background neither', async () => {
    const harness = await open();
    const name = await commitAfter(harness, async (working) => {
      const { exit } = await run(harness, `${late} echo started`, { working });
      expect(exit).toEqual({ kind: 'exited', code: 0 });
      expect((await harness.leftovers()).filter((line) => line.startsWith('task'))).toEqual([]);
      await pause(afterLate);
    });
    expect(await textOf(harness.store, name, 'late')).toBeUndefined();
  });

  it('cancelled: general.cancelled, and nothing runs afterwards', async () => {
    const harness = await open();
    const name = await commitAfter(harness, async (working) => {
      const abort = new AbortController();
      const start = performance.now();
      const running = run(harness, `${late} echo started; sleep 20; echo late > /late`, {
        working,
        signal: abort.signal,
        onText: (text) => {
          if (text.includes('started')) abort.abort();
        },
      });
      expect(await rejection(running)).toBe('general.cancelled');
      expect(performance.now() - start).toBeLessThan(15_000);
      await pause(afterLate);
    });
    expect(await textOf(harness.store, name, 'late')).toBeUndefined();
  });

  it('cancelled before it starts: nothing was started', async () => {
    const harness = await open();
    const abort = new AbortController();
    abort.abort();
    const name = await commitAfter(harness, async (working) => {
      expect(await rejection(run(harness, 'echo x > /late', { working, signal: abort.signal }))).toBe(
        'general.cancelled',
      );
    });
    expect(await textOf(harness.store, name, 'late')).toBeUndefined();
  });

  it('cancelling one run leaves another alone', async () => {
    const harness = await open();
    const abort = new AbortController();
    const other = run(harness, 'sleep 0.5; echo whole');
    const cancelled = run(harness, 'echo started; sleep 20', { signal: abort.signal, onText: () => abort.abort() });
    expect(await rejection(cancelled)).toBe('general.cancelled');
    expect(await other).toMatchObject({ stdout: 'whole\n', exit: { kind: 'exited', code: 0 } });
  });

  it('at its time limit it ends as timed-out, its output until then is there, and nothing runs afterwards', async () => {
    const harness = await open();
    const name = await commitAfter(harness, async (working) => {
      const script = 'echo before; (sleep 1.5; echo late > /late) & sleep 20; echo late > /late';
      const ran = await run(harness, script, { working, timeoutMs: 1000 });
      expect(ran).toMatchObject({ exit: { kind: 'timed-out' }, stdout: 'before\n' });
      await pause(afterLate);
    });
    expect(await textOf(harness.store, name, 'late')).toBeUndefined();
  });

  it('a process that ends in time is not touched by its limit', async () => {
    const harness = await open();
    expect((await run(harness, 'exit 3', { timeoutMs: 20_000 })).exit).toEqual({ kind: 'exited', code: 3 });
  });

  it('out of memory is told apart from exit code 137', async () => {
    const harness = await open();
    const limits = { memoryBytes: 32 * 1024 * 1024 };
    const ran = await run(harness, 'echo before; tail /dev/zero', { limits });
    expect(ran).toMatchObject({ exit: { kind: 'out-of-memory' }, stdout: 'before\n' });
    expect((await run(harness, 'exit 137', { limits })).exit).toEqual({ kind: 'exited', code: 137 });
  });
}

/** Lets `use` do something on a working snapshot and commits what there is then. */
function commitAfter(
  harness: SandboxHarness,
  use: (working: Parameters<Parameters<typeof onWorking>[1]>[0]) => Promise<void>,
): Promise<SnapshotName> {
  return onWorking(harness, async (working) => {
    await use(working);
    return (await harness.store.commit(working, freshName(), {})).name;
  });
}
