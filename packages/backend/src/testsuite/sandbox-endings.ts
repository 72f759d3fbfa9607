import { expect, it } from 'vitest';

import type { SnapshotName, WorkingSnapshot } from '../index.ts';
import type { SandboxHarness } from './harness.ts';
import { onWorking, run } from './sandbox-support.ts';
import { freshName, pause, rejection, textOf } from './support.ts';

/** For the child in the background that writes `/late`, one after the other until the run was over before. */
const momentsMs = [500, 2_000, 8_000, 32_000];

export function endingTests(open: () => Promise<SandboxHarness>): void {
  it('the control: left alone, the child in the background does write', async () => {
    const harness = await open();
    const written = Promise.withResolvers<void>();
    async function* untilThen(): AsyncIterable<Uint8Array> {
      await written.promise;
      yield new Uint8Array();
    }
    const name = await commitAfter(harness, async (working) => {
      await run(harness, '(sleep 0.1; echo late > /late; echo written) & cat', {
        working,
        stdin: untilThen(),
        onText: (text) => text.includes('written') && written.resolve(),
      });
    });
    expect(await textOf(harness.store, name, 'late')).toBe('late\n');
  });

  it('when the process has ended nothing of it runs any more, children in the background neither', async () => {
    const harness = await open();
    await expectNothingLate(harness, async (working, momentMs) => {
      const { exit } = await run(harness, `${late(momentMs)} echo started`, { working });
      expect(exit).toEqual({ kind: 'exited', code: 0 });
      expect((await harness.leftovers()).filter((line) => line.startsWith('task'))).toEqual([]);
    });
  });

  it('cancelled: general.cancelled, and nothing runs afterwards', async () => {
    const harness = await open();
    await expectNothingLate(harness, async (working, momentMs) => {
      const abort = new AbortController();
      const running = run(harness, `${late(momentMs)} echo started; sleep 3600; echo late > /late`, {
        working,
        signal: abort.signal,
        onText: (text) => {
          if (text.includes('started')) abort.abort();
        },
      });
      expect(await rejection(running)).toBe('general.cancelled');
    });
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
    const cancelled = run(harness, 'echo started; sleep 3600', { signal: abort.signal, onText: () => abort.abort() });
    expect(await rejection(cancelled)).toBe('general.cancelled');
    expect(await other).toMatchObject({ stdout: 'whole\n', exit: { kind: 'exited', code: 0 } });
  });

  it('at its time limit it ends as timed-out, its output until then is there, and nothing runs afterwards', async () => {
    const harness = await open();
    await expectNothingLate(harness, async (working, momentMs) => {
      const script = `echo before; ${late(momentMs)} sleep 3600; echo late > /late`;
      const { exit, stdout } = await run(harness, script, { working, timeoutMs: momentMs / 2 });
      expect(exit).toEqual({ kind: 'timed-out' });
      // The limit may be over before the process has come to that.
      if (stdout === '' && momentMs !== momentsMs.at(-1)) return 'too early';
      expect(stdout).toBe('before\n');
      return undefined;
    });
  });

  it('a process that ends in time is not touched by its limit', async () => {
    const harness = await open();
    expect((await run(harness, 'exit 3', { timeoutMs: 3_600_000 })).exit).toEqual({ kind: 'exited', code: 3 });
  });

  it('out of memory is told apart from exit code 137', async () => {
    const harness = await open();
    const limits = { memoryBytes: 32 * 1024 * 1024 };
    const ran = await run(harness, 'echo before; tail /dev/zero', { limits });
    expect(ran).toMatchObject({ exit: { kind: 'out-of-memory' }, stdout: 'before\n' });
    expect((await run(harness, 'exit 137', { limits })).exit).toEqual({ kind: 'exited', code: 137 });
  });
}

/** Writes `/late` after that time, in the background. */
function late(momentMs: number): string {
  return `(sleep ${momentMs / 1000}; echo late > /late) &`;
}

/**
 * Lets `use` run something to its end, and shows that nothing of it writes `/late` afterwards. What a slow machine did not end
 * before that moment had the right to write: then it is tried again with a later one.
 */
async function expectNothingLate(
  harness: SandboxHarness,
  use: (working: WorkingSnapshot, momentMs: number) => Promise<'too early' | void>,
): Promise<void> {
  for (const momentMs of momentsMs) {
    let isJudged = false;
    const name = await commitAfter(harness, async (working) => {
      const beganMs = performance.now();
      const verdict = await use(working, momentMs);
      isJudged = performance.now() - beganMs < momentMs && verdict === undefined;
      if (isJudged) await pause(momentMs + 400);
    });
    if (!isJudged) continue;
    expect(await textOf(harness.store, name, 'late')).toBeUndefined();
    return;
  }
  throw new Error(`no run was over within ${momentsMs.at(-1)} ms`);
}

/** Lets `use` do something on a working snapshot and commits what there is then. */
function commitAfter(harness: SandboxHarness, use: (working: WorkingSnapshot) => Promise<void>): Promise<SnapshotName> {
  return onWorking(harness, async (working) => {
    await use(working);
    return (await harness.store.commit(working, freshName(), {})).name;
  });
}
