import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { sleep } from '@loam/base';
import { localEndpoint } from '@loam/containerd/testing';
import { afterEach, describe, expect, it } from 'vitest';

import type { ContainerdModelOptions } from './index.ts';
import { layerTar } from './base-layer.ts';
import type { Program } from './programs/program.ts';
import {
  commitLayer,
  createRun,
  keep,
  makeBase,
  openPipe,
  openWorld,
  runOn,
  specOf,
  wordsOf,
  type TestRun,
  type World,
} from './testing/world.ts';

const open: World[] = [];
afterEach(async () => {
  for (const world of open.splice(0)) await world.close();
});

async function withBase(
  options: Partial<ContainerdModelOptions> = {},
  base: Parameters<typeof makeBase>[1] = {},
): Promise<World> {
  const world = await openWorld(options);
  open.push(world);
  await makeBase(world, base);
  return world;
}

/** A task on a snapshot `k`, created and not started. */
async function created(world: World, spec = specOf('ping -n 1000 127.0.0.1'), key = 'k'): Promise<TestRun> {
  const rootfs = await world.client.snapshots('windows').prepare({ key, parent: 'base', labels: keep });
  return createRun(world, { spec, rootfs, snapshotKey: key });
}

async function started(world: World, spec?: ReturnType<typeof specOf>): Promise<TestRun> {
  const run = await created(world, spec);
  await world.client.tasks.start(run.id);
  return run;
}

/** A program that waits for its end. */
const waits: Program = ({ signal }) =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(0), { once: true }));

describe('§4.3 a specification', () => {
  it.each<[string, Parameters<typeof specOf>[1], string]>([
    ['a linux section', { linux: {} }, 'cannot have a Linux section'],
    ['a read-only root', { root: { readonly: true } }, 'readonly is not supported'],
    ['a root path that is no volume', { root: { path: 'C:\\x' } }, 'must be a volume GUID path'],
    ['a mount without a source', { mounts: [{ destination: 'C:\\x' }] }, 'both source and a destination'],
    ['a source that is not there', { mounts: [{ source: '/none', destination: 'C:\\x' }] }, 'cannot find the file'],
    [
      'two ways to limit the CPU',
      { windows: { resources: { cpu: { count: 1, maximum: 100 } } } },
      'mutually exclusive',
    ],
    ['a namespace that is no GUID', { windows: { network: { networkNamespace: 'x' } } }, 'invalid GUID'],
    ['Hyper-V where there is none', { windows: { hyperv: {} } }, 'a required feature is not installed'],
  ])('is refused with %s', async (_, changes, words) => {
    const world = await withBase();
    expect(await wordsOf(created(world, specOf('echo hi', changes)))).toContain(words);
    // Nothing of it stays attached.
    await world.client.snapshots('windows').commit({ name: 'n', key: 'k', labels: keep });
  });

  it('without windows crashes the shim', async () => {
    const world = await withBase();
    const { windows: _, ...spec } = specOf('echo hi');
    expect(await wordsOf(created(world, spec))).toContain('nil pointer dereference');
  });

  it('§10 #30: a network namespace that does not exist is Element not found', async () => {
    const world = await withBase({ host: { hasNetworkNamespace: () => false } });
    const network = { networkNamespace: '11111111-2222-3333-4444-555555555555' };
    expect(await wordsOf(created(world, specOf('', { windows: { network } })))).toContain('0x490');
  });

  it('runtime options belong on the container: in the task’s request they are refused (§1.11)', async () => {
    const world = await withBase();
    const rootfs = await world.client.snapshots('windows').prepare({ key: 'k', parent: 'base', labels: keep });
    const runtime = { name: 'io.containerd.runhcs.v1' };
    await world.client.containers.create({ id: 'c', runtime, spec: specOf('') });
    const task = { containerId: 'c', rootfs, options: { kind: 'runhcs' as const } };
    expect(await wordsOf(world.client.tasks.create(task))).toContain('invalid task create option for');
  });
});

describe('§4.3 a process', () => {
  it.each([
    ['cwd must exist', { cwd: 'C:\\none' }, 'The directory name is invalid.'],
    ['the user must be known', { user: { username: 'root' } }, 'The user name or password is incorrect.'],
    [
      'the program must be found',
      { commandLine: 'powershell -Command x' },
      'The system cannot find the file specified.',
    ],
  ])('%s; a failed start leaves a task that ended with 1 (§5.4)', async (_, process, words) => {
    const world = await withBase();
    const run = await created(world, specOf('', { process }));
    expect(await wordsOf(world.client.tasks.start(run.id))).toContain(words);
    expect((await run.end()).exitStatus).toBe(1);
  });

  it('runs as a local user of the image', async () => {
    const world = await withBase({}, { users: ['builder'] });
    const { stdout } = await runOn(world, 'k', 'whoami', { process: { user: { username: 'builder' } } });
    expect(stdout).toContain('builder');
  });

  it('§7.3: an image newer than the host, or too old for it, does not start under process isolation', async () => {
    const world = await withBase({ host: { build: 20348 } }, { build: 26100 });
    expect(await wordsOf(created(world))).toContain('does not match the host operating system. (0xc0370101)');
    const older = await withBase({ host: { build: 26200 } }, { build: 20348 });
    expect(await wordsOf(created(older))).toContain('0xc0370101');
    const fits = await withBase({ host: { build: 26100 } }, { build: 20348 });
    expect((await runOn(fits, 'k', 'echo hi')).exitStatus).toBe(0);
  });

  it('§4.4: mounts of directories and single files are seen, and `ro` holds', async () => {
    const world = await withBase();
    const file = join(world.directory, 'secret');
    await writeFile(file, 'value');
    const mounts = [
      { source: world.directory, destination: 'C:\\cache', options: ['rw'] },
      { source: file, destination: 'C:\\run\\secret', options: ['ro'] },
    ];
    const script = 'echo cached> C:\\cache\\made & type C:\\RUN\\secret & echo x> C:\\run\\secret';
    const ran = await runOn(world, 'k', script, { mounts });
    expect(ran).toMatchObject({ stdout: 'value', stderr: 'Access is denied.\r\n' });
    expect(await readFile(join(world.directory, 'made'), 'utf8')).toBe('cached\r\n');
  });

  it('§7.1: exit codes have 32 bits, unsigned; the commit limit has one of its own', async () => {
    const world = await withBase();
    expect((await runOn(world, 'a', 'exit /b -1073741515')).exitStatus).toBe(0xc0000135);
    const memory = { windows: { resources: { memory: { limit: 1 } } } };
    const process = { commandLine: 'sh -c "tail /dev/zero"', env: ['PATH=C:\\bin'] };
    expect((await runOn(world, 'b', '', { ...memory, process })).exitStatus).toBe(0xc000012d);
  });
});

describe('§5 standard streams', () => {
  it('schemes other than binary are refused: §10 #7', async () => {
    const world = await withBase();
    const rootfs = await world.client.snapshots('windows').prepare({ key: 'k', parent: 'base', labels: keep });
    await world.client.containers.create({ id: 'c', runtime: { name: 'io.containerd.runhcs.v1' }, spec: specOf('') });
    for (const [path, scheme] of [
      ['file:///log', 'file'],
      ['C:\\log.txt', 'c'],
    ] as const) {
      const words = await wordsOf(world.client.tasks.create({ containerId: 'c', rootfs, stdout: path, stderr: path }));
      expect(words).toContain(`scheme must be 'binary', got: '${scheme}'`);
    }
  });

  it('§5.1: a broken pipe is dialled again, and what comes then follows', async () => {
    const world = await withBase({
      program: async ({ output, clock, signal }) => {
        for (let line = 1; line <= 20; line += 1) {
          output('stdout', `line ${line}\n`);
          await sleep(clock, 20, signal);
        }
        return 0;
      },
    });
    let text = '';
    const rootfs = await world.client.snapshots('windows').prepare({ key: 'k', parent: 'base', labels: keep });
    const run = await createRun(world, {
      spec: specOf(''),
      rootfs,
      onStdout: (socket) => {
        const isFirst = text === '';
        socket.on('data', (bytes) => {
          text += bytes.toString();
          if (isFirst) socket.destroy();
        });
      },
    });
    await world.client.tasks.start(run.id);
    await run.exit;
    expect(run.stdout.connections.length).toBeGreaterThan(1);
    expect(text).toContain('line 20\n');
    await run.end();
  });

  it('§5.2: a machine that stands still after the exit makes no reader a slow one', async () => {
    const world = await withBase({
      program: async ({ output }) => {
        output('stdout', 'x'.repeat(900_000));
        setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_200));
        await Promise.resolve();
        return 0;
      },
    });
    expect((await runOn(world, 'k', '')).stdout).toHaveLength(900_000);
  });

  it('§5.2: a grandchild that holds the outputs is cut off after a second', async () => {
    let sayMore: () => void = () => undefined;
    const world = await withBase({
      program: async ({ output, holdOutputs }) => {
        holdOutputs();
        sayMore = () => output('stdout', 'late');
        output('stdout', 'early');
        await Promise.resolve();
        return 0;
      },
    });
    const beganMs = performance.now();
    const ran = await runOn(world, 'k', '');
    sayMore();
    expect(ran.stdout).toBe('early');
    expect(performance.now() - beganMs).toBeGreaterThan(900);
  });

  it('§5.2: Get may say stopped while the container is torn down; Wait comes after it, and then a commit is safe (§4.7)', async () => {
    // Long enough for a busy machine to look in between.
    const world = await withBase({ teardownMs: () => 1_500 });
    const run = await started(world, specOf('echo hi'));
    await expect.poll(async () => (await world.client.tasks.get(run.id)).status).toBe('stopped');
    const early = world.client.snapshots('windows').commit({ name: 'n', key: 'k', labels: keep });
    expect(await wordsOf(early)).toContain('used by another process');
    await run.exit;
    await world.client.snapshots('windows').commit({ name: 'n', key: 'k', labels: keep });
    await run.end();
  });
});

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
    expect(run.stdout.text()).toContain('done');
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

it('§1.11 a second process in a task has pipes and an exit of its own', async () => {
  const world = await withBase();
  const run = await started(world);
  const stdout = await openPipe(localEndpoint(join(world.directory, 'exec-stdout')));
  const process = { args: ['cmd', '/S', '/C', 'echo hi & exit 5'], cwd: 'C:\\', env: [] };
  const call = { containerId: run.id, execId: 'e1', process, stdout: stdout.path, stderr: stdout.path };
  await world.client.tasks.exec(call);
  const exit = world.client.tasks.wait(run.id, { execId: 'e1' });
  await world.client.tasks.start(run.id, { execId: 'e1' });
  expect((await exit).exitStatus).toBe(5);
  await world.client.tasks.delete(run.id, { execId: 'e1' });
  expect(stdout.text()).toBe('hi \r\n');
  await world.client.tasks.kill(run.id, 9);
  await run.end();
  await stdout.close();
});

it('§4.3 Hyper-V isolation needs a UtilityVM in the base layer', async () => {
  const world = await withBase({ host: { hyperV: true } });
  const spec = specOf('echo hi', { windows: { hyperv: {} } });
  expect(await wordsOf(created(world, spec))).toContain('UtilityVM');
  await commitLayer(world, 'with-vm', await layerTar([{ name: 'UtilityVM', type: 'directory' }]), '');
});

it('sh scripts run as in the in-memory double, on the one drive', async () => {
  const world = await withBase();
  const process = { commandLine: '/bin/sh -c "mkdir -p /a/b; echo text > /a/b/f; pwd; cat /A/B/F"', cwd: 'C:\\Users' };
  const ran = await runOn(world, 'k', '', { process });
  expect(ran).toMatchObject({ exitStatus: 0, stdout: '/Users\ntext\n' });
});
