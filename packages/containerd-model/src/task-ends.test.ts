import { describe, expect, it } from 'vitest';

import type { Program } from './programs/program.ts';
import { created, started, useBase } from './testing/task-world.ts';
import { createRun, keep, specOf, wordsOf } from './testing/world.ts';

const withBase = useBase();

/** A program that waits for its end. */
const waits: Program = ({ signal }) =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(0), { once: true }));

describe('§7.2 Kill', () => {
  it.each([
    [0, 'CtrlC'],
    [1, 'CtrlBreak'],
    [2, 'CtrlClose'],
    [5, 'CtrlLogOff'],
    [6, 'CtrlShutdown'],
    [15, 'CtrlShutdown'],
  ])('%i is %s, delivered later, and ends a program that has no handler with 0xC000013A', async (signal, event) => {
    const seen: string[] = [];
    const world = await withBase({ program: waits });
    const run = await started(world, specOf(''));
    await world.client.tasks.kill(run.id, signal);
    expect((await run.end()).exitStatus).toBe(0xc000013a);
    const deaf = await withBase({
      program: (context) => {
        context.onConsoleEvent((name) => seen.push(name));
        return waits(context);
      },
    });
    const other = await started(deaf, specOf(''));
    await deaf.client.tasks.kill(other.id, signal);
    await expect.poll(() => seen).toEqual([event]);
    await deaf.client.tasks.kill(other.id, 9);
    await other.end();
  });

  it('any other number is a failed precondition', async () => {
    const world = await withBase();
    const run = await started(world);
    expect(await wordsOf(world.client.tasks.kill(run.id, 3))).toContain('signal 3: invalid signal value');
    await world.client.tasks.kill(run.id, 9);
    await run.end();
    await expect(world.client.tasks.kill(run.id, 9)).rejects.toMatchObject({ code: 'containerd.not-found' });
  });

  it('of a task that was only created makes it end with 1; of one that has ended is NOT_FOUND', async () => {
    const world = await withBase();
    const run = await created(world);
    await world.client.tasks.kill(run.id, 15);
    expect((await run.exit).exitStatus).toBe(1);
    await expect(world.client.tasks.kill(run.id, 9)).rejects.toMatchObject({ code: 'containerd.not-found' });
    await run.end();
  });
});

describe('§4.7 crashes', () => {
  it('of the daemon: metadata stays, and tasks go on under their shims', async () => {
    const world = await withBase();
    const run = await started(world, specOf('ping -n 2 127.0.0.1 & echo done'));
    await world.model.killDaemon();
    await expect(run.exit).rejects.toMatchObject({ code: 'containerd.unavailable' });
    await world.model.startDaemon();
    expect((await world.client.tasks.get(run.id)).status).toBe('running');
    expect((await world.client.tasks.wait(run.id)).exitStatus).toBe(0);
    expect(await run.stdout.text()).toContain('done');
  });

  it('of the shim: the task ends with 255 and its scratch stays attached, so neither commit nor collector gets it', async () => {
    const world = await withBase();
    const run = await started(world);
    world.model.crashShim('test', run.id);
    expect((await run.end()).exitStatus).toBe(255);
    const snapshots = world.client.snapshots('windows');
    expect(await wordsOf(snapshots.commit({ name: 'n', key: 'k', labels: keep }))).toContain('used by another process');
    const before = world.model.snapshotDirectories().length;
    await snapshots.remove('k');
    await world.model.collectGarbage();
    expect(world.model.snapshotDirectories()).toHaveLength(before);
  });

  it('a snapshot that one container has is not mounted by a second: §10 #11', async () => {
    const world = await withBase();
    const run = await started(world);
    const rootfs = await world.client.snapshots('windows').mounts('k');
    expect(await wordsOf(createRun(world, { spec: specOf(''), rootfs }))).toContain('0x57');
    await world.client.tasks.kill(run.id, 9);
    await run.end();
  });
});

describe('§10 faults that a test plants', () => {
  it('come in the words of HCS, as often as told, and the calls that came in are known', async () => {
    const world = await withBase();
    const text = 'hcs::System::Start k: operation timeout';
    world.model.faults.plant({ method: 'Tasks.Start', times: 1, error: { code: 2, text } });
    const run = await created(world);
    expect(await wordsOf(world.client.tasks.start(run.id))).toContain('operation timeout');
    await world.client.tasks.start(run.id);
    expect(world.model.faults.calls.filter((name) => name === 'Tasks.Start')).toHaveLength(2);
    await world.client.tasks.kill(run.id, 9);
    await run.end();
  });

  it('a daemon that dies after the work and before the answer has done the work', async () => {
    const world = await withBase();
    world.model.faults.plant({ method: 'Leases.Create', times: 1, after: () => world.model.killDaemon() });
    await expect(world.client.leases.create({ id: 'l' })).rejects.toMatchObject({ code: 'containerd.unavailable' });
    await world.model.startDaemon();
    expect((await world.client.leases.list()).map(({ id }) => id)).toEqual(['l']);
  });
});
