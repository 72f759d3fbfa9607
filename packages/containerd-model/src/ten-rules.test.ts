import http2 from 'node:http2';
import net from 'node:net';
import { join } from 'node:path';

import { create, toBinary } from '@bufbuild/protobuf';
import { containersProto } from '@loam/containerd/proto';
import { localEndpoint } from '@loam/containerd/testing';
import { afterEach, describe, expect, it } from 'vitest';

import type { ContainerdModelOptions } from './index.ts';
import { layerTar } from './base-layer.ts';
import { brokenRules } from './ten-rules.ts';
import {
  createRun,
  keep,
  makeBase,
  openPipe,
  openWorld,
  putBlob,
  runOn,
  specOf,
  wordsOf,
  type World,
} from './testing/world.ts';

// A planted violation of each of the ten rules of the reference's §0. Where Windows keeps silent, so does the model, and the
// test shows the loss.
const open: World[] = [];
afterEach(async () => {
  for (const world of open.splice(0)) await world.close();
});

async function withBase(options: Partial<ContainerdModelOptions> = {}, namespace?: string): Promise<World> {
  const world = await openWorld(options, namespace);
  open.push(world);
  await makeBase(world, { utilityVm: true });
  return world;
}

describe('§0 rule 1: `extract` in a namespace or key', () => {
  it('of a step: it runs and exits 0, and what it wrote is lost without a word', async () => {
    const world = await withBase();
    const { exitStatus } = await runOn(world, 'step-extract-sources', 'echo made> C:\\made.txt');
    expect(exitStatus).toBe(0);
    await world.client.snapshots('windows').commit({ name: 'lost', key: 'step-extract-sources', labels: keep });
    expect(world.model.layerOf('test', 'lost')?.hasFiles).toBe(false);
    expect(world.model.textIn('test', 'lost', 'made.txt')).toBeUndefined();
    await runOn(world, 'step-sources', 'echo made> C:\\made.txt');
    await world.client.snapshots('windows').commit({ name: 'kept', key: 'step-sources', labels: keep });
    expect(world.model.textIn('test', 'kept', 'made.txt')).toBe('made\r\n');
  });

  it('of a namespace: every step in it is lost', async () => {
    const world = await withBase({}, 'extractor');
    await runOn(world, 'step', 'echo made> C:\\made.txt');
    await world.client.snapshots('windows').commit({ name: 'lost', key: 'step', labels: keep });
    expect(world.model.textIn('extractor', 'lost', 'made.txt')).toBeUndefined();
  });

  it('missing where a layer is unpacked: the commit writes the scratch over it', async () => {
    const world = await withBase();
    const snapshots = world.client.snapshots('windows');
    const tar = await layerTar([
      { name: 'Hives', type: 'directory' },
      { name: 'Files', type: 'directory' },
      { name: 'Files/copied.txt', content: 'copied' },
    ]);
    const mounts = await snapshots.prepare({ key: 'layer', parent: 'base', labels: keep });
    await world.client.diff.apply(await putBlob(world, tar), mounts);
    await snapshots.commit({ name: 'copied', key: 'layer', labels: keep });
    expect(world.model.textIn('test', 'copied', 'copied.txt')).toBeUndefined();
  });
});

it('§0 rule 2: a commit has the labels of its request only, and without root label or lease it is collected at once', async () => {
  const world = await withBase();
  const snapshots = world.client.snapshots('windows');
  await snapshots.prepare({ key: 'a', parent: 'base', labels: { ...keep, mine: 'yes' } });
  await snapshots.commit({ name: 'committed', key: 'a' });
  expect((await snapshots.stat('committed')).labels).toEqual({});
  await world.model.collectGarbage();
  expect(await wordsOf(snapshots.stat('committed'))).toContain('not found');
});

it('§0 rule 3: an Any whose url has a prefix is refused', async () => {
  const world = await withBase();
  const { method } = containersProto.Containers;
  const spec = {
    typeUrl: 'type.googleapis.com/types.containerd.io/opencontainers/runtime-spec/1/Spec',
    value: new TextEncoder().encode(JSON.stringify(specOf('echo hi'))),
  };
  const request = create(method.create.input, {
    container: { id: 'prefixed', runtime: { name: 'io.containerd.runhcs.v1' }, spec },
  });
  await rawCall(world, '/containerd.services.containers.v1.Containers/Create', toBinary(method.create.input, request));
  const rootfs = await world.client.snapshots('windows').prepare({ key: 'k', parent: 'base', labels: keep });
  const words = await wordsOf(world.client.tasks.create({ containerId: 'prefixed', rootfs }));
  expect(words).toContain(`can't unmarshal type "type.googleapis.com/`);
});

describe('§0 rule 4: rootfs mounts and layerFolders', () => {
  it('both are refused by containerd 2', async () => {
    const world = await withBase();
    const rootfs = await world.client.snapshots('windows').prepare({ key: 'k', parent: 'base', labels: keep });
    const spec = specOf('echo hi', { windows: { layerFolders: ['C:\\parent', 'C:\\scratch'] } });
    expect(await wordsOf(createRun(world, { spec, rootfs }))).toContain(
      'cannot pass both a rootfs mount and Windows.LayerFolders',
    );
    expect(await wordsOf(createRun(world, { spec: specOf('echo hi'), rootfs: [] }))).toContain(
      'must pass either a rootfs mount or Windows.LayerFolders',
    );
  });

  it('both double the list in silence under containerd 1.7', async () => {
    const world = await withBase({ version: 'v1.7.27' });
    const rootfs = await world.client.snapshots('windows').prepare({ key: 'k', parent: 'base', labels: keep });
    const [mount] = rootfs;
    const parents = JSON.parse(mount?.options[1]?.replace('parentLayerPaths=', '') ?? '[]') as string[];
    const layerFolders = [...parents, mount?.source ?? ''];
    const run = await createRun(world, { spec: specOf('echo hi', { windows: { layerFolders } }), rootfs });
    expect(world.model.layerFoldersOf('test', run.id)).toEqual([...layerFolders, ...layerFolders]);
    await world.client.tasks.start(run.id);
    await run.end();
  });
});

it('§0 rule 5: pipes that do not listen yet fail the create, and leave nothing attached', async () => {
  const world = await withBase();
  const { client, directory } = world;
  const rootfs = await client.snapshots('windows').prepare({ key: 'k', parent: 'base', labels: keep });
  const container = { id: 'early', runtime: { name: 'io.containerd.runhcs.v1' }, spec: specOf('echo hi') };
  await client.containers.create(container);
  const stdout = localEndpoint(join(directory, 'not-yet-stdout'));
  const words = await wordsOf(client.tasks.create({ containerId: 'early', rootfs, stdout, stderr: stdout }));
  expect(words).toContain(`open ${stdout}: The system cannot find the file specified.`);
  await client.snapshots('windows').commit({ name: 'untouched', key: 'k', labels: keep });
});

it('§0 rule 6: what a slow reader has not taken a second after the exit is lost', async () => {
  const world = await withBase({
    program: async ({ output }) => {
      await Promise.resolve();
      output('stdout', new Uint8Array(20_000_000));
      return 0;
    },
  });
  const rootfs = await world.client.snapshots('windows').prepare({ key: 'k', parent: 'base', labels: keep });
  let received = 0;
  const closed = Promise.withResolvers<void>();
  let goOn: () => void = () => undefined;
  const slowly = (socket: net.Socket): void => {
    socket.on('data', (bytes) => {
      received += bytes.length;
      // The process can end now: a pipe holds the rest. Its reader comes back too late for that.
      if (received >= 19_300_000) socket.pause();
    });
    socket.on('close', closed.resolve);
    goOn = () =>
      socket
        .removeAllListeners('data')
        .on('data', (bytes) => (received += bytes.length))
        .resume();
  };
  const run = await createRun(world, { spec: specOf(''), rootfs, onStdout: slowly });
  await world.client.tasks.start(run.id);
  expect((await run.exit).exitStatus).toBe(0);
  goOn();
  await closed.promise;
  expect(received).toBeLessThan(20_000_000);
  await run.end();
  expect(brokenRules(world.model.recording)).toEqual([expect.stringMatching(/^rule 6: \d+ bytes/)]);
});

it('§0 rule 7 is of Linux; here the end of input is the end of our side of the pipe', async () => {
  const world = await withBase();
  const stdin = await openPipe(localEndpoint(join(world.directory, 'stdin')), (socket) => socket.end('typed\r\n'));
  const rootfs = await world.client.snapshots('windows').prepare({ key: 'k', parent: 'base', labels: keep });
  const run = await createRun(world, { spec: specOf('more'), rootfs, stdin: stdin.path });
  await world.client.tasks.start(run.id);
  await run.exit;
  expect(await run.stdout.text()).toBe('typed\r\n');
  await run.end();
  await stdin.close();
});

it('§0 rule 8: Remove says OK while the directory is still there; the collector takes it', async () => {
  const world = await withBase();
  const snapshots = world.client.snapshots('windows');
  const before = world.model.snapshotDirectories();
  await snapshots.prepare({ key: 'k', parent: 'base', labels: keep });
  await snapshots.remove('k');
  expect(world.model.snapshotDirectories()).toHaveLength(before.length + 1);
  await world.client.leases.create({ id: 'forcing' });
  await world.client.leases.delete('forcing', { sync: true });
  expect(world.model.snapshotDirectories()).toEqual(before);
});

describe('§0 rule 9: the order of the end', () => {
  it('a task that runs is not deleted, and its snapshot is not committed', async () => {
    const world = await withBase();
    const snapshots = world.client.snapshots('windows');
    const rootfs = await snapshots.prepare({ key: 'k', parent: 'base', labels: keep });
    const run = await createRun(world, { spec: specOf('ping -n 100 127.0.0.1'), rootfs, snapshotKey: 'k' });
    await world.client.tasks.start(run.id);
    await expect(world.client.tasks.delete(run.id)).rejects.toMatchObject({ code: 'containerd.failed-precondition' });
    expect(await wordsOf(snapshots.commit({ name: 'early', key: 'k', labels: keep }))).toContain(
      'being used by another process',
    );
    await world.client.tasks.kill(run.id, 9);
    await run.end();
    await snapshots.commit({ name: 'late', key: 'k', labels: keep });
  });

  it('a Wait that comes after the exit still tells it, until the task is deleted', async () => {
    const world = await withBase();
    const rootfs = await world.client.snapshots('windows').prepare({ key: 'k', parent: 'base', labels: keep });
    const run = await createRun(world, { spec: specOf('exit 3'), rootfs });
    await world.client.tasks.start(run.id);
    await run.exit;
    expect((await world.client.tasks.wait(run.id)).exitStatus).toBe(3);
    await run.end();
    await expect(world.client.tasks.wait(run.id)).rejects.toMatchObject({ code: 'containerd.not-found' });
  });
});

describe('§0 rule 10: annotations, mount types, empty variables', () => {
  it('a spec without annotations crashes the shim', async () => {
    const world = await withBase();
    const rootfs = await world.client.snapshots('windows').prepare({ key: 'k', parent: 'base', labels: keep });
    const { annotations: _, ...spec } = specOf('echo hi');
    expect(await wordsOf(createRun(world, { spec, rootfs }))).toContain('assignment to entry in nil map');
  });

  it('a bind mount fails under Hyper-V, and passes under process isolation', async () => {
    const world = await withBase({ host: { hyperV: true } });
    const mounts = [{ source: world.directory, destination: 'C:\\cache', type: 'bind', options: ['rw'] }];
    const rootfs = await world.client.snapshots('windows').prepare({ key: 'k', parent: 'base', labels: keep });
    const hyperv = specOf('echo hi', { mounts, windows: { hyperv: {} } });
    expect(await wordsOf(createRun(world, { spec: hyperv, rootfs }))).toContain(
      "invalid OCI spec - Type 'bind' not supported",
    );
    expect(await runOn(world, 'k2', 'echo hi', { mounts })).toMatchObject({ exitStatus: 0 });
  });

  it('a variable with an empty value is not there', async () => {
    const world = await withBase();
    const env = ['FULL=x', 'EMPTY='];
    expect((await runOn(world, 'k', 'echo [%FULL%][%EMPTY%]', { process: { env } })).stdout).toBe('[x][%EMPTY%]\r\n');
  });
});

/** A unary call as a foreign client would make it. */
async function rawCall({ model }: World, path: string, message: Uint8Array): Promise<void> {
  const session = http2.connect('http://localhost', { createConnection: () => net.connect({ path: model.address }) });
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    'containerd-namespace': 'test',
  });
  const framed = new Uint8Array(5 + message.length);
  new DataView(framed.buffer).setUint32(1, message.length);
  framed.set(message, 5);
  stream.end(framed);
  stream.resume();
  await new Promise((resolve) => stream.once('close', resolve));
  session.close();
}
