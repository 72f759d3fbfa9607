import { TestClock } from '@loam/base';
import { describe, expect, it } from 'vitest';

import { CleanupQueue } from '../cleanup-queue.ts';
import { ShimRelay, type RelayPlace } from './shim-relay.ts';

const delayMs = 200;

function setUp() {
  const clock = new TestClock();
  const cleanup = new CleanupQueue(clock, () => undefined);
  const relay = new ShimRelay();
  const deleted: string[] = [];
  /** How long each deletion takes; none unless told. */
  const deletions = new Map<string, Promise<void>>();
  const end = (place: RelayPlace, run: string): void =>
    place.leave(
      cleanup.defer(run, delayMs, async () => {
        await place.retire();
        await deletions.get(run);
        deleted.push(run);
      }),
    );
  return { clock, cleanup, relay, deleted, deletions, end };
}

/** Lets promises that are ready run. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('ShimRelay', () => {
  it('a step takes over the shim of the step before it, whose task goes when its own is there', async () => {
    const { relay, deleted, end } = setUp();
    const first = relay.enter('build', 'a');
    expect(first.group).toBe('a');
    end(first, 'a');
    const second = relay.enter('build', 'b');
    expect(second.group).toBe('a');
    await turn();
    expect(deleted).toEqual([]);
    second.arrived();
    await turn();
    expect(deleted).toEqual(['a']);
    end(second, 'b');
    expect(relay.enter('build', 'c').group).toBe('a');
  });

  it('a task whose deletion has begun has no successor, whoever began it', async () => {
    for (const begin of [
      ({ clock }) => void clock.advance(delayMs),
      ({ cleanup }) => void cleanup.settled('a'),
      ({ cleanup }) => void cleanup.drain(),
    ] satisfies ((world: ReturnType<typeof setUp>) => void)[]) {
      const world = setUp();
      world.end(world.relay.enter('build', 'a'), 'a');
      begin(world);
      expect(world.relay.enter('build', 'b').group).toBe('b');
      await turn();
      expect(world.deleted).toEqual(['a']);
    }
  });

  it('a task that has a successor on its way is not deleted before that has arrived, whoever waits for it', async () => {
    const { clock, cleanup, relay, deleted, end } = setUp();
    end(relay.enter('build', 'a'), 'a');
    const second = relay.enter('build', 'b');
    await clock.advance(delayMs);
    const waiting = [cleanup.settled('a'), cleanup.drain()];
    await turn();
    expect(deleted).toEqual([]);
    second.arrived();
    await Promise.all(waiting);
    expect(deleted).toEqual(['a']);
  });

  it('the last two tasks of a shim are deleted one after the other', async () => {
    const { cleanup, relay, deleted, deletions, end } = setUp();
    let finish: () => void = () => undefined;
    deletions.set('a', new Promise((resolve) => (finish = resolve)));
    end(relay.enter('build', 'a'), 'a');
    const second = relay.enter('build', 'b');
    second.arrived();
    end(second, 'b');
    const drained = cleanup.drain();
    await turn();
    expect(deleted).toEqual([]);
    finish();
    await drained;
    expect(deleted).toEqual(['a', 'b']);
  });

  it('steps at the same time, and steps of other builds, have shims of their own', () => {
    const { relay, end } = setUp();
    end(relay.enter('build', 'a'), 'a');
    expect(relay.enter('other', 'b').group).toBe('b');
    expect(relay.enter('build', 'c').group).toBe('a');
    expect(relay.enter('build', 'd').group).toBe('d');
  });
});
