import { createHash, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { connect, type Containerd, type Mount, type RuntimeOptions, type TaskExit } from '@loam/containerd';
import { localEndpoint } from '@loam/containerd/testing';

import { baseLayer } from '../base-layer.ts';
import { ContainerdModel, type ContainerdModelOptions } from '../model.ts';
import type { WindowsSpec } from '../runtime/spec-check.ts';

export const layerType = 'application/vnd.oci.image.layer.v1.tar';
export const runtime = 'io.containerd.runhcs.v1';
/** Keeps a snapshot without a lease. */
export const keep = { 'containerd.io/gc.root': '2026-01-01T00:00:00Z' };

export interface World {
  readonly model: ContainerdModel;
  readonly client: Containerd;
  readonly directory: string;
  close(): Promise<void>;
}

/** A model and our real client of it. */
export async function openWorld(
  options: Partial<ContainerdModelOptions> = {},
  namespace: string = 'test',
): Promise<World> {
  const directory = await mkdtemp(join(tmpdir(), 'loam-model-'));
  const model = await ContainerdModel.start({ address: localEndpoint(join(directory, 's')), ...options });
  const client = connect({ address: model.address, namespace });
  return {
    model,
    client,
    directory,
    async close() {
      client.close();
      await model.close();
      await rm(directory, { recursive: true });
    },
  };
}

/** Puts a blob into the content store. */
export async function putBlob({ client }: World, bytes: Uint8Array, labels: Record<string, string> = keep) {
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const source = async function* (offset: number) {
    await Promise.resolve();
    if (offset < bytes.length) yield bytes.subarray(offset);
  };
  const { size } = await client.content.writeBlob({ ref: `put-${digest}`, source, expected: digest, labels });
  return { mediaType: layerType, digest, size };
}

/** Unpacks a layer on `parent` and commits it: the way that works. */
export async function commitLayer(world: World, name: string, tar: Uint8Array, parent: string = ''): Promise<void> {
  const snapshots = world.client.snapshots('windows');
  const key = `extract-${randomUUID()} ${name}`;
  const mounts = await snapshots.prepare({ key, parent, labels: keep });
  await world.client.diff.apply(await putBlob(world, tar), mounts);
  await snapshots.commit({ name, key, labels: keep });
}

/** A committed base image named `base`. */
export async function makeBase(world: World, options: Parameters<typeof baseLayer>[0] = {}): Promise<void> {
  await commitLayer(world, 'base', await baseLayer(options));
}

/** A spec that the shim takes, running a script under cmd. */
export function specOf(script: string, changes: Partial<WindowsSpec> & { process?: object } = {}): WindowsSpec {
  return {
    hostname: 'builder',
    annotations: {},
    root: { path: '' },
    mounts: [],
    windows: {},
    ...changes,
    process: {
      commandLine: `cmd /S /C "${script}"`,
      cwd: 'C:\\',
      env: ['PATH=C:\\Windows\\System32'],
      user: { username: 'ContainerAdministrator' },
      ...changes.process,
    },
  };
}

/** A pipe of the client's: a server that collects what comes, as fast as it is let. */
export interface TestPipe {
  readonly path: string;
  readonly connections: net.Socket[];
  /** All that came, when nothing more comes: an exit may be known before the last bytes are here. */
  text(): Promise<string>;
  /** Bytes that have come. */
  size(): number;
  close(): Promise<void>;
}

export async function openPipe(path: string, onConnection?: (socket: net.Socket) => void): Promise<TestPipe> {
  const parts: Buffer[] = [];
  const connections: net.Socket[] = [];
  const ends: Promise<unknown>[] = [];
  const server = net.createServer((socket) => {
    connections.push(socket);
    ends.push(new Promise((resolve) => socket.once('end', resolve).once('close', resolve)));
    socket.on('error', () => socket.destroy());
    if (onConnection) onConnection(socket);
    else socket.on('data', (bytes) => parts.push(bytes));
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    path,
    connections,
    async text() {
      await Promise.all(ends);
      return Buffer.concat(parts).toString();
    },
    size: () => parts.reduce((sum, part) => sum + part.length, 0),
    async close() {
      for (const socket of connections) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

export interface TestRun {
  readonly id: string;
  readonly stdout: TestPipe;
  readonly stderr: TestPipe;
  readonly exit: Promise<TaskExit>;
  /** Waits for the exit, deletes task and container. */
  end(): Promise<TaskExit>;
}

export interface RunSetup {
  readonly spec: WindowsSpec;
  readonly rootfs: readonly Mount[];
  readonly snapshotKey?: string;
  readonly runtimeOptions?: RuntimeOptions;
  readonly stdin?: string;
  readonly onStdout?: (socket: net.Socket) => void;
}

/** Container, pipes, task: created, not started. */
export async function createRun({ client, directory }: World, setup: RunSetup): Promise<TestRun> {
  const id = `run-${randomUUID()}`;
  const stdout = await openPipe(localEndpoint(join(directory, `${id}-stdout`)), setup.onStdout);
  const stderr = await openPipe(localEndpoint(join(directory, `${id}-stderr`)));
  try {
    await client.containers.create({
      id,
      runtime: { name: runtime, ...(setup.runtimeOptions && { options: setup.runtimeOptions }) },
      spec: setup.spec,
      snapshotter: 'windows',
      snapshotKey: setup.snapshotKey ?? '',
    });
    await client.tasks.create({
      containerId: id,
      rootfs: setup.rootfs,
      stdout: stdout.path,
      stderr: stderr.path,
      ...(setup.stdin === undefined ? {} : { stdin: setup.stdin }),
    });
  } catch (error) {
    await Promise.all([stdout.close(), stderr.close()]);
    throw error;
  }
  const exit = client.tasks.wait(id);
  exit.catch(() => undefined);
  return {
    id,
    stdout,
    stderr,
    exit,
    async end() {
      const ended = await exit;
      await client.tasks.delete(id);
      await client.containers.delete(id);
      await Promise.all([stdout.text(), stderr.text()]);
      await Promise.all([stdout.close(), stderr.close()]);
      return ended;
    },
  };
}

/** Prepares `key` on `base`, runs a script there and leaves the snapshot active. */
export async function runOn(world: World, key: string, script: string, changes: Parameters<typeof specOf>[1] = {}) {
  const rootfs = await world.client.snapshots('windows').prepare({ key, parent: 'base', labels: keep });
  const run = await createRun(world, { spec: specOf(script, changes), rootfs, snapshotKey: key });
  await world.client.tasks.start(run.id);
  const { exitStatus } = await run.end();
  return { exitStatus, stdout: await run.stdout.text(), stderr: await run.stderr.text() };
}

/** What the server said, in its own words. */
export async function wordsOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return (error as { internal?: string }).internal ?? String(error);
  }
  throw new Error('it did not fail');
}
