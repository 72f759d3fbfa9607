import type { RunRequest, SnapshotName } from '@loam/backend';
import { TestClock } from '@loam/base';
import { describe, expect, it } from 'vitest';

import { useHcsWorld } from '../testing/hcs-world.ts';
import { windowsRun } from '../testing/model-backend.ts';

const world = useHcsWorld();

describe('a step on the model', () => {
  it('rule 1, §11.2 #25: runs on a snapshot of its own, and its children see what it wrote', async () => {
    const base = await world.baseImage();
    await world.step(base, 'run', async (working) => {
      const argv = ['cmd', '/S', '/C', 'echo made> C:\\src\\b.txt'];
      const io = { onOutput: () => undefined };
      const exit = await world.backend.sandbox.run(windowsRun(working, { argv }), io, new AbortController().signal);
      expect(exit).toEqual({ kind: 'exited', code: 0 });
      await world.backend.store.commit(working, 'step' as SnapshotName, {});
    });
    expect(world.model.layerOf('builds', 'step')).toMatchObject({ hasFiles: true });
    const tree = await world.backend.store.tree('step' as SnapshotName);
    const { entry } = await tree.resolve('src/b.txt');
    expect(entry).toMatchObject({ kind: 'file' });
    await tree.close();
    const { stdout } = await world.run('step' as SnapshotName, { argv: ['cmd', '/S', '/C', 'type C:\\src\\b.txt'] });
    expect(stdout.trim()).toBe('made');
  });

  it('gets its working directory made when it is not there, and its output once', async () => {
    const base = await world.baseImage();
    expect(await world.run(base, { workdir: 'C:\\new\\deep', network: 'nat' })).toEqual({
      exit: { kind: 'exited', code: 0 },
      stdout: 'hi\r\n',
    });
  });

  it('§11.2 #17: a Unix user is refused before anything is made', async () => {
    const base = await world.baseImage();
    await expect(world.run(base, { user: { kind: 'id', uid: 1000, gid: 1000 } })).rejects.toMatchObject({
      code: 'backend.unix-user',
    });
  });

  it('§11.2 #22: a crash is told with its meaning, lack of memory as such, and what the host lost as an error', async () => {
    const base = await world.baseImage();
    const exits = async (code: number, options: Partial<RunRequest> = {}): Promise<unknown> => {
      world.program = () => Promise.resolve(code);
      return (await world.run(base, options)).exit;
    };
    expect(await exits(3)).toEqual({ kind: 'exited', code: 3 });
    expect(await exits(0xc0000005)).toMatchObject({ code: 0xc0000005, meaning: expect.stringContaining('0xC0000005') });
    expect(await exits(0xc0000017, { limits: { memoryBytes: 1 << 20 } })).toEqual({ kind: 'out-of-memory' });
    await expect(exits(0xffffffff)).rejects.toMatchObject({ code: 'backend.task-lost' });
  });

  it('§11.2 #23, vectors (10) kill: is cancelled politely first, then for good, and nothing runs afterwards', async () => {
    const base = await world.baseImage();
    const heard: string[] = [];
    const started = Promise.withResolvers<void>();
    world.program = ({ signal, onConsoleEvent }) => {
      onConsoleEvent((event) => void heard.push(event));
      started.resolve();
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve(1)));
    };
    const clock = new TestClock();
    world.backend = await world.backendWith({ clock, killGraceMs: 20 });
    const controller = new AbortController();
    const running = world.run(base, { network: 'nat' }, controller.signal);
    const ended = expect(running).rejects.toMatchObject({ code: 'general.cancelled' });
    await started.promise;
    controller.abort();
    await expect.poll(() => heard).toHaveLength(1);
    await clock.advance(20);
    await ended;
    expect(heard).toHaveLength(1);
    expect(world.model.faults.calls.filter((call) => call === 'Tasks.Kill')).toHaveLength(2);
  });

  it('§11.2 #1: has its secrets as files while it runs, and they are gone afterwards, failed or not', async () => {
    const base = await world.baseImage();
    const secrets = [{ target: 'C:\\secrets\\key', value: new TextEncoder().encode('hunter2') }];
    const argv = ['cmd', '/S', '/C', 'type C:\\secrets\\key'];
    expect((await world.run(base, { secrets, argv })).stdout).toContain('hunter2');
    world.model.faults.plant({
      method: 'Tasks.Create',
      times: 1,
      error: { code: 2, text: 'hcs::System::Start: operation timeout' },
    });
    await expect(world.run(base, { secrets })).rejects.toMatchObject({ code: 'backend.host-overloaded' });
    expect(await world.backend.leftovers()).toEqual([]);
  });

  it('§11.2 #9, vectors (10) start-up: that a crash left is removed by the next life, and what others have is not', async () => {
    const base = await world.baseImage();
    const root = { 'containerd.io/gc.root': 'x' };
    await world.client
      .snapshots('windows')
      .prepare({ key: 'loam-run-foreign', parent: base, labels: { ...root, 'loam.agent': 'agt_other' } });
    const lease = await world.backend.store.lease('crashed');
    await world.backend.store.prepare(base, 'run', lease);
    const before = world.backend;
    await world.open();
    expect(await world.backend.store.reconcile()).toMatchObject({ workingSnapshots: 1, leases: 1 });
    expect((await world.client.snapshots('windows').stat('loam-run-foreign')).kind).toBe('active');
    await before.close();
  });
});
