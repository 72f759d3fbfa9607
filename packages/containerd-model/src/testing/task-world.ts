import { afterEach } from 'vitest';

import type { ContainerdModelOptions } from '../model.ts';
import { createRun, keep, makeBase, openWorld, specOf, type TestRun, type World } from './world.ts';

type BaseOptions = Parameters<typeof makeBase>[1];

/** What opens worlds with a committed base image; each is closed when its test ends. */
export function useBase(): (options?: Partial<ContainerdModelOptions>, base?: BaseOptions) => Promise<World> {
  const open: World[] = [];
  afterEach(async () => {
    for (const world of open.splice(0)) await world.close();
  });
  return async (options = {}, base = {}) => {
    const world = await openWorld(options);
    open.push(world);
    await makeBase(world, base);
    return world;
  };
}

/** A task on a snapshot `k`, created and not started. */
export async function created(world: World, spec = specOf('ping -n 1000 127.0.0.1')): Promise<TestRun> {
  const key = 'k';
  const rootfs = await world.client.snapshots('windows').prepare({ key, parent: 'base', labels: keep });
  return createRun(world, { spec, rootfs, snapshotKey: key });
}

/** The same, started. */
export async function started(world: World, spec?: ReturnType<typeof specOf>): Promise<TestRun> {
  const run = await created(world, spec);
  await world.client.tasks.start(run.id);
  return run;
}
