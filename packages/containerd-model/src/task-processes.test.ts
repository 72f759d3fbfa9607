import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { localEndpoint } from '@loam/containerd/testing';
import { describe, expect, it } from 'vitest';

import { layerTar } from './base-layer.ts';
import { created, started, useBase } from './testing/task-world.ts';
import { commitLayer, keep, openPipe, runOn, specOf, wordsOf } from './testing/world.ts';

const withBase = useBase();

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
  expect(await stdout.text()).toBe('hi \r\n');
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
