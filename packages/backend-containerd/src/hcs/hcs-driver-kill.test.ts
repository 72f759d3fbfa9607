import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { systemClock, TestClock } from '@loam/base';
import { describe, expect, it } from 'vitest';

import { useHcsWorld } from '../testing/hcs-world.ts';
import { windowsRun } from '../testing/model-backend.ts';

const world = useHcsWorld();

it('a container that outlives the kill is ended past the shim; one that outlives that, too, is named', async () => {
  const base = await world.baseImage();
  const commands: string[] = [];
  let ends: () => void = () => undefined;
  world.program = () => new Promise((resolve) => (ends = () => resolve(1)));
  const hangs = async (onCommand: () => void): Promise<void> => {
    await world.open({
      runCommand: async (...command) => {
        commands.push(command.flat().join(' '));
        onCommand();
      },
    });
    const clock = new TestClock();
    world.backend = await world.backendWith({ clock, killGraceMs: 20, killTimeoutMs: 500 });
    const lift = world.model.faults.plant({
      method: 'Tasks.Kill',
      error: { code: 2, text: 'hcs::System::Terminate: timeout' },
    });
    const controller = new AbortController();
    const starts = world.model.faults.calls.filter((call) => call === 'Tasks.Start').length;
    const running = world.run(base, {}, controller.signal);
    running.catch(() => undefined);
    await expect.poll(() => world.model.faults.calls.filter((call) => call === 'Tasks.Start').length).toBe(starts + 1);
    controller.abort();
    const stop = setInterval(() => void clock.advance(100), 5);
    await running.finally(() => {
      clearInterval(stop);
      lift();
    });
  };
  await expect(hangs(() => ends())).rejects.toMatchObject({ code: 'general.cancelled' });
  expect(commands).toEqual([expect.stringMatching(/^hcsdiag kill loam-/)]);
  await expect(hangs(() => undefined)).rejects.toMatchObject({
    code: 'backend.will-not-die',
    message: expect.stringMatching(/container loam-.*, killed 0\.5 s ago, and ended past the runtime/) as string,
  });
  ends();
  // It is left as it is; the next life removes it.
  await world.open();
  expect(await world.backend.store.reconcile()).toMatchObject({ tasks: 1, containers: 1, workingSnapshots: 1 });
});

it('a container of an earlier life that will not die is named by the next one, which does not wait for ever', async () => {
  const base = await world.baseImage();
  let ends: () => void = () => undefined;
  world.program = () => new Promise((resolve) => (ends = () => resolve(1)));
  const before = world.backend;
  const working = await before.store.prepare(base, 'run', await before.store.lease('test'));
  const never = new AbortController().signal;
  const running = before.sandbox.run(windowsRun(working), { onOutput: () => undefined }, never);
  await expect.poll(() => world.model.faults.calls.includes('Tasks.Start')).toBe(true);
  const lift = world.model.faults.plant({
    method: 'Tasks.Kill',
    error: { code: 2, text: 'hcs::System::Terminate: timeout' },
  });
  const commands: string[] = [];
  await world.open({ runCommand: async (...command) => void commands.push(command.flat().join(' ')) });
  const clock = new TestClock();
  const next = await world.backendWith({ clock });
  const stop = setInterval(() => void clock.advance(1_000), 1);
  await expect(next.store.reconcile()).rejects.toMatchObject({
    code: 'backend.will-not-die',
    message: expect.stringMatching(/container loam-.*, killed 70 s ago, and ended past the runtime/) as string,
  });
  clearInterval(stop);
  expect(commands).toEqual([expect.stringMatching(/^hcsdiag kill loam-/)]);
  lift();
  ends();
  await running;
  await before.settled();
  expect(await world.backend.store.reconcile()).toMatchObject({ tasks: 0, workingSnapshots: 1 });
});

describe('a reader whose container outlives the kill', () => {
  /** The long limits, of the kill and of what is tried after it, are over one after the other as soon as they have begun. */
  async function readAndClose(onCommand: () => Promise<void>, limits: number): Promise<string[]> {
    const base = await world.baseImage();
    const commands: string[] = [];
    const waiting: (() => void)[] = [];
    const clock = {
      ...systemClock,
      after(...[ms, callback, options]: Parameters<typeof systemClock.after>) {
        if (ms <= 20_000) return systemClock.after(ms, callback, options);
        waiting.push(callback);
        return () => void waiting.splice(0, waiting.length, ...waiting.filter((other) => other !== callback));
      },
    };
    await world.open({
      clock,
      runCommand: async (...command) => {
        commands.push(command.flat().join(' '));
        await onCommand();
      },
    });
    const tree = await world.backend.store.tree(base);
    expect((await tree.resolve('src/a.txt')).entry).toMatchObject({ kind: 'file' });
    const lift = world.model.faults.plant({
      method: 'Tasks.Kill',
      error: { code: 2, text: 'hcs::System::Terminate: timeout' },
    });
    ends = async () => {
      lift();
      for (const { id } of await world.client.containers.list()) await world.client.tasks.kill(id, 9, { all: true });
    };
    const closed = tree.close();
    for (let limit = 0; limit < limits; limit += 1) {
      await expect.poll(() => waiting).toHaveLength(1);
      waiting.shift()?.();
    }
    await closed.finally(lift);
    return commands;
  }
  let ends: () => Promise<void> = () => Promise.resolve();

  it('is ended past the shim, and leaves nothing', async () => {
    expect(await readAndClose(() => ends(), 1)).toEqual([expect.stringMatching(/^hcsdiag kill loam-tree-/)]);
    expect(world.warnings).toEqual([]);
  });

  it('is told when that does not help either; what was read counts, and the next life removes the container', async () => {
    await readAndClose(() => Promise.resolve(), 2);
    expect(world.warnings).toEqual([expect.stringMatching(/^view loam-tree-.*killed 70 s ago/)]);
    expect(await readdir(join(world.directory, 'state', 'trees'))).toEqual([]);
    await world.open();
    expect(await world.backend.store.reconcile()).toMatchObject({ containers: 1 });
  });
});
