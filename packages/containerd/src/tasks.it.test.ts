import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startContainerd, type ContainerdServer } from '@loam/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, type Containerd } from './client.ts';
import type { ContainerdEvent } from './services/events.ts';
import { busyboxLayer, busyboxSpec } from './testing/busybox.ts';
import { makeFifo, openForWriting, readFifo } from './testing/fifo.ts';

let server: ContainerdServer;
let client: Containerd;
let output: string;
const lease = 'tasks';
const runtimeName = 'io.containerd.runc.v2';

beforeAll(async () => {
  output = await mkdtemp(join(tmpdir(), 'loam-tasks-'));
  server = await startContainerd();
  client = connect({ address: server.address, namespace: 'task-test' });
  await client.namespaces.ensure();
  await client.leases.create({ id: lease });
  const layer = await busyboxLayer(client, lease);
  const snapshots = client.snapshots('overlayfs');
  await client.diff.apply(layer, await snapshots.prepare({ key: 'base-work' }, { lease }));
  await snapshots.commit({ name: 'base', key: 'base-work' }, { lease });
});

afterAll(async () => {
  client.close();
  await server.stop();
  await rm(output, { recursive: true });
});

/** A container on a fresh snapshot and its task, created and not started. */
async function createTask(
  id: string,
  args: readonly string[],
  { group, ...more }: { cwd?: string; memoryBytes?: number; group?: string } = {},
): Promise<{ stdout: Promise<string>; stderr: Promise<string> }> {
  const rootfs = await client.snapshots('overlayfs').prepare({ key: id, parent: 'base' }, { lease });
  await client.containers.create({
    id,
    labels: { 'loam/test': 'yes' },
    runtime: { name: runtimeName, options: { kind: 'runc', root: server.runcRoot } },
    spec: { ...busyboxSpec(id, args, more), ...(group && { annotations: { 'io.containerd.runc.v2.group': group } }) },
    snapshotter: 'overlayfs',
    snapshotKey: id,
  });
  const stdio = { stdout: join(output, `${id}.out`), stderr: join(output, `${id}.err`) };
  const [stdout, stderr] = [await readFifo(stdio.stdout), await readFifo(stdio.stderr)];
  await client.tasks.create({ containerId: id, rootfs, ...stdio });
  return { stdout: stdout.text, stderr: stderr.text };
}

async function removeContainer(id: string): Promise<void> {
  await client.containers.delete(id);
  await client.snapshots('overlayfs').remove(id);
}

describe('a task', () => {
  it('runs a command, gives its output and its exit, and leaves nothing', async () => {
    const { stdout, stderr } = await createTask('hello', ['sh', '-c', 'echo out; echo err >&2; exit 42']);
    expect(await client.tasks.get('hello')).toMatchObject({ containerId: 'hello', status: 'created' });
    const exit = client.tasks.wait('hello');
    expect((await client.tasks.start('hello')).pid).toBeGreaterThan(0);
    const { exitStatus, exitedAt } = await exit;
    expect(exitStatus).toBe(42);
    expect(Math.abs(exitedAt.getTime() - Date.now())).toBeLessThan(60_000);
    expect(await client.tasks.get('hello')).toMatchObject({ status: 'stopped', exitStatus: 42 });
    expect(await client.tasks.delete('hello')).toMatchObject({ exitStatus: 42 });
    expect(await stdout).toBe('out\n');
    expect(await stderr).toBe('err\n');
    await removeContainer('hello');
    expect(await client.tasks.list()).toEqual([]);
    expect(await client.containers.list()).toEqual([]);
  });

  it('can be looked into, joined, limited and killed', async () => {
    await createTask('long', ['sleep', '1000']);
    await client.tasks.start('long');
    const exit = client.tasks.wait('long');
    expect(await client.tasks.list()).toMatchObject([{ containerId: 'long', status: 'running' }]);
    expect(await client.tasks.pids('long')).toHaveLength(1);
    // Just after the start the threads of runc's own program, which becomes the command, may still be counted.
    await expect
      .poll(() => client.tasks.metrics('long'))
      .toMatchObject({ oomKills: 0, memoryBytes: expect.any(Number), pids: 1 });
    await client.tasks.update('long', { linux: { memory: { limit: 64 * 1024 * 1024 } } });

    const process = { args: ['sh', '-c', 'cat; exit 7'], cwd: '/', env: ['PATH=/bin'], user: { uid: 0, gid: 0 } };
    const execId = 'joined';
    const stdio = { stdin: join(output, 'in'), stdout: join(output, 'joined.out'), stderr: join(output, 'joined.err') };
    const [stdout] = [await readFifo(stdio.stdout), await readFifo(stdio.stderr)];
    await makeFifo(stdio.stdin);
    await client.tasks.exec({ containerId: 'long', execId, process, ...stdio });
    const joined = client.tasks.wait('long', { execId });
    await client.tasks.start('long', { execId });
    const stdin = await openForWriting(stdio.stdin);
    await stdin.write('said to it');
    await stdin.close();
    await client.tasks.closeIO('long', { execId });
    expect(await joined).toMatchObject({ exitStatus: 7 });
    expect(await stdout.text).toBe('said to it');
    expect(await client.tasks.delete('long', { execId })).toMatchObject({ exitStatus: 7 });

    await expect(client.tasks.delete('long')).rejects.toMatchObject({ code: 'containerd.failed-precondition' });
    await client.tasks.kill('long', 9, { all: true });
    expect(await exit).toMatchObject({ exitStatus: 137 });
    await client.tasks.delete('long');
    await expect(client.tasks.kill('long', 9)).rejects.toMatchObject({ code: 'containerd.not-found' });
    await removeContainer('long');
  });

  it('whose wait is aborted runs on', async () => {
    await createTask('patient', ['sleep', '1000']);
    await client.tasks.start('patient');
    const abort = new AbortController();
    const wait = client.tasks.wait('patient', { signal: abort.signal });
    abort.abort();
    await expect(wait).rejects.toMatchObject({ code: 'general.cancelled' });
    expect(await client.tasks.get('patient')).toMatchObject({ status: 'running' });
    const exit = client.tasks.wait('patient');
    await client.tasks.kill('patient', 9);
    await exit;
    await client.tasks.delete('patient');
    await removeContainer('patient');
  });

  it.each([
    ['a command that is not there', ['nope'], {}, /exec: "nope": executable file not found in \$PATH/],
    ['a directory that cannot be entered', ['true'], { cwd: '/bin/busybox' }, /chdir to cwd|not a directory/],
  ])('with %s fails with a reason for its user', async (_, args, more, reason) => {
    const id = `bad-${args[0]}`;
    const created = createTask(id, args, more);
    await expect(created).rejects.toMatchObject({
      code: 'containerd.task-failed',
      message: expect.stringMatching(reason),
    });
    await expect(created).rejects.toMatchObject({ internal: expect.stringContaining('Tasks.Create') });
    await removeContainer(id);
  });

  it('that outgrows its memory is counted as killed for it, and an event says so', async () => {
    const abort = new AbortController();
    const oom = firstEvent(client.events.subscribe(['topic=="/tasks/oom"'], { signal: abort.signal }), () => true);
    // tail keeps the last line, and this one never ends; the shell lives on, so that its cgroup can be asked.
    await createTask('greedy', ['sh', '-c', 'tail /dev/zero; sleep 1000'], { memoryBytes: 16 * 1024 * 1024 });
    await client.tasks.start('greedy');
    expect(await oom).toMatchObject({ kind: 'task-oom', containerId: 'greedy' });
    abort.abort();
    // The kernel tells of the want before it kills and counts.
    await expect.poll(async () => (await client.tasks.metrics('greedy'))?.oomKills).toBeGreaterThan(0);
    const exit = client.tasks.wait('greedy');
    await client.tasks.kill('greedy', 9, { all: true });
    await exit;
    await client.tasks.delete('greedy');
    await removeContainer('greedy');
  });

  it('survives a restart of containerd, and so does the client', async () => {
    await createTask('survivor', ['sleep', '1000']);
    await client.tasks.start('survivor');
    const lost = expect(client.tasks.wait('survivor')).rejects.toMatchObject({ code: 'containerd.unavailable' });
    const watched = expect(firstEvent(client.events.subscribe(), () => false)).rejects.toMatchObject({
      code: 'containerd.unavailable',
    });
    await server.kill9();
    await Promise.all([lost, watched]);
    await expect(client.version()).rejects.toMatchObject({ code: 'containerd.unavailable' });
    await server.restart();
    expect(await client.tasks.get('survivor')).toMatchObject({ status: 'running' });
    const exit = client.tasks.wait('survivor');
    await client.tasks.kill('survivor', 9);
    expect(await exit).toMatchObject({ exitStatus: 137 });
    await client.tasks.delete('survivor');
    await removeContainer('survivor');
  });
});

describe('a container', () => {
  it('keeps its document, its labels and, as long as it is there, its snapshot', async () => {
    const spec = busyboxSpec('record', ['true']);
    await client.leases.create({ id: 'collect' });
    await client.snapshots('overlayfs').prepare({ key: 'record', parent: 'base' }, { lease: 'collect' });
    const runtime = { name: runtimeName };
    const fields = { id: 'record', labels: { a: 'b' }, snapshotter: 'overlayfs', snapshotKey: 'record' };
    await client.containers.create({ ...fields, runtime, spec });
    expect(await client.containers.get('record')).toMatchObject({ ...fields, spec, runtimeName });
    expect(await client.containers.list(['labels.a==b'])).toHaveLength(1);
    await client.leases.delete('collect', { sync: true });
    expect(await client.snapshots('overlayfs').stat('record')).toMatchObject({ kind: 'active' });
    await expect(client.containers.create({ ...fields, runtime, spec })).rejects.toMatchObject({
      code: 'containerd.already-exists',
      message: 'containerd already has this container.',
    });
    await expect(client.containers.create({ id: 'a..b', runtime, spec })).rejects.toMatchObject({
      code: 'containerd.invalid-argument',
    });
    await client.containers.delete('record');
    await client.leases.create({ id: 'collect' });
    await client.leases.delete('collect', { sync: true });
    await expect(client.snapshots('overlayfs').stat('record')).rejects.toMatchObject({ code: 'containerd.not-found' });
  });
});

describe('events', () => {
  it('tell what happens in the namespace, decoded', async () => {
    const abort = new AbortController();
    const seen: ContainerdEvent[] = [];
    const other = connect({ address: server.address, namespace: 'elsewhere' });
    await other.namespaces.ensure();
    const done = (async () => {
      for await (const event of client.events.subscribe([], { signal: abort.signal })) {
        seen.push(event);
        // A shim's events come by a way of their own, and can be later than those of the daemon.
        if (['container-delete', 'task-delete'].every((kind) => seen.some((one) => one.kind === kind))) return;
      }
    })();
    await client.version();
    // From containerd 2 on, a shim that ends with its last task may take the event of its deletion along.
    await createTask('companion', ['true'], { group: 'watched' });
    await other.leases.create({ id: 'x' });
    await other.snapshots('overlayfs').prepare({ key: 'foreign' }, { lease: 'x' });
    await createTask('watched', ['false'], { group: 'watched' });
    const exit = client.tasks.wait('watched');
    await client.tasks.start('watched');
    await exit;
    await client.tasks.delete('watched');
    await removeContainer('watched');
    await done;
    abort.abort();
    other.close();
    expect(seen.every(({ namespace }) => namespace === 'task-test')).toBe(true);
    expect(seen.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['container-create', 'task-create', 'task-start', 'task-exit', 'task-delete']),
    );
    expect(seen.find(({ kind }) => kind === 'task-exit')).toMatchObject({
      topic: '/tasks/exit',
      containerId: 'watched',
      execId: 'watched',
      exitStatus: 1,
    });
    expect(seen).toContainEqual(expect.objectContaining({ kind: 'snapshot-prepare', key: 'watched', parent: 'base' }));
  });
});

async function firstEvent(
  events: AsyncIterable<ContainerdEvent>,
  isWanted: (event: ContainerdEvent) => boolean,
): Promise<ContainerdEvent> {
  for await (const event of events) if (isWanted(event)) return event;
  throw new Error('the events ended');
}
