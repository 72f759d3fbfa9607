import { TestClock } from '@loam/base';
import { expect, test } from 'vitest';

import { giveMemoryBackWhenIdle } from './idle-memory.ts';

const MiB = 2 ** 20;

function start() {
  const clock = new TestClock();
  const world = { utilization: 0, residentBytes: 50 * MiB, collections: 0 };
  const stop = giveMemoryBackWhenIdle({
    clock,
    utilization: () => world.utilization,
    residentBytes: () => world.residentBytes,
    collect() {
      world.collections++;
      world.residentBytes = 50 * MiB;
    },
  });
  const look = (): Promise<void> => clock.advance(2_000);
  return { world, look, stop };
}

test('what a busy time has left is collected once it is over', async () => {
  const { world, look } = start();
  world.utilization = 0.4;
  world.residentBytes = 300 * MiB;
  await look();
  expect(world.collections).toBe(0);
  world.utilization = 0.01;
  await look();
  await look();
  expect(world.collections).toBe(1);
});

test('a process that waits is not disturbed for a few megabytes', async () => {
  const { world, look } = start();
  await look();
  world.residentBytes += 7 * MiB;
  await look();
  expect(world.collections).toBe(1);
  world.residentBytes += 2 * MiB;
  await look();
  expect(world.collections).toBe(2);
});

test('it ends when it is told to', async () => {
  const { world, look, stop } = start();
  stop();
  await look();
  expect(world.collections).toBe(0);
});
