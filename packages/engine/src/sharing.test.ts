import type { Program } from '@loam/backend/memory';
import { isLoamError, LoamError, sleep, systemClock } from '@loam/base';
import { describe, expect, it } from 'vitest';

import { gate, makeWorld, type Built, type World } from './test-world.ts';

/** Prints `start`, waits for the gate or the end, prints `end`. */
function gatedProgram(entered: () => void, opened: Promise<void>): Program {
  return async ({ output, signal }) => {
    output('stdout', 'start\n');
    entered();
    await Promise.race([
      opened,
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('ended')))),
    ]);
    output('stdout', 'end\n');
    return { kind: 'exited', code: 0 };
  };
}

const spec = '((from base) (run (shell step)))';

interface Pair {
  readonly world: World;
  readonly first: Promise<Built>;
  readonly second: Promise<Built>;
  readonly cancelFirst: AbortController;
  readonly cancelSecond: AbortController;
  readonly open: () => void;
}

/** Two builds of one step; the second has attached and heard what came before it. */
async function attached(): Promise<Pair> {
  const [entered, end, heard] = [gate(), gate(), gate()];
  const world = makeWorld({ program: gatedProgram(entered.open, end.opened) });
  const [cancelFirst, cancelSecond] = [new AbortController(), new AbortController()];
  const first = world.build(spec, { signal: cancelFirst.signal, owner: 'first' });
  await entered.opened;
  const second = world.build(spec, {
    signal: cancelSecond.signal,
    owner: 'second',
    onEvent: (event) => {
      if (event.type === 'step-log') heard.open();
    },
  });
  await heard.opened;
  return { world, first, second, cancelFirst, cancelSecond, open: end.open };
}

describe('a step in flight', () => {
  it('is shared: the second build hears the log from byte 0 and the step runs once', async () => {
    const { world, first, second, open } = await attached();
    open();
    const [one, two] = await Promise.all([first, second]);
    expect([one.end('1')?.outcome, two.end('1')?.outcome]).toEqual(['built', 'shared']);
    expect([one.log('1'), two.log('1')]).toEqual(['start\nend\n', 'start\nend\n']);
    expect(two.end('1')).toMatchObject({ logBytes: 10, snapshot: one.end('1')?.snapshot });
    expect(two.outcome).toEqual(one.outcome);
    expect(world.sandbox.runs).toHaveLength(1);
    expect(world.leftovers()).toEqual([]);
  });

  it('goes on for the second build when the one that started it is cancelled', async () => {
    const { world, first, second, cancelFirst, open } = await attached();
    cancelFirst.abort();
    expect((await first).outcome).toEqual({ kind: 'cancelled' });
    expect((await first).ended).toEqual(['0 built', '1 cancelled']);
    open();
    expect((await second).outcome.kind).toBe('succeeded');
    expect((await second).log('1')).toBe('start\nend\n');
    expect(world.leftovers()).toEqual([]);
  });

  it('is not hurt by a follower that leaves', async () => {
    const { first, second, cancelSecond, open } = await attached();
    cancelSecond.abort();
    expect((await second).outcome).toEqual({ kind: 'cancelled' });
    open();
    expect((await first).outcome.kind).toBe('succeeded');
  });

  it('is cancelled when the last one leaves, and nothing of it is left when that build ends', async () => {
    const { world, first, second, cancelFirst, cancelSecond } = await attached();
    cancelFirst.abort();
    await first;
    expect(world.leftovers()).toContain('task ' + (world.sandbox.runs[0]?.label ?? ''));
    cancelSecond.abort();
    expect((await second).outcome).toEqual({ kind: 'cancelled' });
    expect(world.leftovers()).toEqual([]);
  });

  it('that fails fails all who wait for it, each with its own position, and is not remembered', async () => {
    const [entered, end] = [gate(), gate()];
    const program: Program = async ({ output, request }) => {
      if (request.argv.at(-1) !== 'bad') return { kind: 'exited', code: 0 };
      output('stderr', 'oh no\n');
      entered.open();
      await end.opened;
      return { kind: 'exited', code: 2 };
    };
    const world = makeWorld({ program });
    const one = world.build('((from base) (run (shell bad)))');
    await entered.opened;
    const heard = gate();
    const two = world.build(
      '((build dev ((from base) (run (shell bad)))) (from base) (copy (from (build dev)) (src etc) (dst /x)))',
      { onEvent: (event) => event.type === 'step-log' && heard.open() },
    );
    await heard.opened;
    end.open();
    expect((await one).outcome).toMatchObject({ kind: 'failed', position: '1' });
    expect((await two).outcome).toMatchObject({
      kind: 'failed',
      position: 'dev/1',
      error: { message: 'Step dev/1 failed with exit code 2.' },
    });
    expect((await two).log('dev/1')).toBe('oh no\n');
    expect(world.sandbox.runs).toHaveLength(1);
    await world.build('((from base) (run (shell bad)))');
    expect(world.sandbox.runs).toHaveLength(2);
  });

  it('that is being cancelled is not joined: its end comes first, then a new beginning', async () => {
    const [entered, stopping, mayStop] = [gate(), gate(), gate()];
    let runs = 0;
    const world = makeWorld({
      program: async ({ signal, output }) => {
        runs += 1;
        if (runs > 1) return { kind: 'exited', code: 0 };
        output('stdout', 'first try\n');
        entered.open();
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
        stopping.open();
        await mayStop.opened;
        throw new Error('ended');
      },
    });
    const cancel = new AbortController();
    const first = world.build(spec, { signal: cancel.signal });
    await entered.opened;
    cancel.abort();
    await stopping.opened;
    const second = world.build(spec);
    await sleep(systemClock, 5);
    expect(runs).toBe(1);
    mayStop.open();
    expect((await first).outcome).toEqual({ kind: 'cancelled' });
    expect((await second).outcome.kind).toBe('succeeded');
    expect((await second).log('1')).toBe('');
    expect(runs).toBe(2);
  });

  it('whose process will not die is reported even to who cancelled', async () => {
    const entered = gate();
    const world = makeWorld();
    const cancel = new AbortController();
    world.sandbox.run = async (_request, _io, signal) => {
      entered.open();
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      throw LoamError.of('backend.will-not-die', { container: 'c', how: 'killed 60 s ago' });
    };
    const build = world.build(spec, { signal: cancel.signal });
    await entered.opened;
    cancel.abort();
    const { outcome } = await build;
    expect(outcome.kind === 'failed' && isLoamError(outcome.error, 'backend.will-not-die')).toBe(true);
  });
});
