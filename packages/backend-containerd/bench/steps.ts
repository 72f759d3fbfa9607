/**
 * What a step costs on containerd and runc: `node packages/backend-containerd/bench/steps.ts [--steps 20] [--json]`.
 * Starts a containerd of its own; needs root and Debian's containerd, runc and busybox-static.
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';

import type { SnapshotName, Store, TreeEntry } from '@loam/backend';
import { connect, type Containerd } from '@loam/containerd';
import { startContainerd, type ContainerdServer } from '@loam/testkit';

import { detectHostFeatures } from '../src/runc/host-features.ts';
import { buildRuncSpec } from '../src/runc/runc-spec.ts';
import { busyboxBase, openTestBackend, testPlatform, type TestBackend } from '../src/testing/test-backend.ts';

const { values } = parseArgs({ options: { steps: { type: 'string', default: '20' }, json: { type: 'boolean' } } });
const steps = Number(values.steps);

type Times = Record<string, number[]>;

async function timed<T>(times: Times, name: string, work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await work();
  (times[name] ??= []).push(performance.now() - start);
  return result;
}

/** `steps` trivial steps, each on the one before. */
async function runSteps({ backend }: TestBackend, base: SnapshotName, times: Times): Promise<number> {
  const { store, sandbox } = backend;
  const lease = await store.lease('bench');
  let parent = base;
  const start = performance.now();
  for (let index = 0; index < steps; index++) {
    const working = await timed(times, 'prepare', () => store.prepare(parent, 'run', lease));
    const exit = await timed(times, 'run', () =>
      sandbox.run(
        {
          label: 'bench',
          platform: testPlatform,
          working,
          argv: ['/bin/sh', '-c', 'true'],
          workdir: '/',
          env: [['PATH', '/bin:/usr/bin']],
          user: { kind: 'id', uid: 0, gid: 0 },
          mounts: [],
          secrets: [],
          network: 'none',
          hostname: 'builder',
          limits: {},
        },
        { onOutput: () => undefined },
        new AbortController().signal,
      ),
    );
    if (exit.kind !== 'exited' || exit.code !== 0) throw new Error(JSON.stringify(exit));
    const name = `bench-${randomUUID()}` as SnapshotName;
    ({ name: parent } = await timed(times, 'commit', () => store.commit(working, name, {})));
  }
  const totalMs = performance.now() - start;
  await lease.release();
  await backend.settled();
  return totalMs / steps;
}

async function copyLayer(store: Store, base: SnapshotName, entries: readonly TreeEntry[], times: Times): Promise<void> {
  const lease = await store.lease('bench');
  await timed(times, 'total', async () => {
    const working = await timed(times, 'prepare', () => store.prepare(base, 'layer', lease));
    await timed(times, 'apply', () => store.applyLayer(working, stream(entries)));
    await timed(times, 'commit', () => store.commit(working, `bench-${randomUUID()}` as SnapshotName, {}));
  });
  await lease.release();
}

async function* stream(entries: readonly TreeEntry[]): AsyncIterable<TreeEntry> {
  yield* entries;
}

function file(path: string, sizeBytes: number): TreeEntry {
  const chunk = Buffer.alloc(Math.min(sizeBytes, 1 << 20), randomUUID());
  async function* open(): AsyncIterable<Uint8Array> {
    for (let left = sizeBytes; left > 0; left -= chunk.length) yield chunk.subarray(0, left);
  }
  return { kind: 'file', path, uid: 0, gid: 0, mode: 0o644, mtimeMs: 0, sizeBytes, open };
}

const sources: TreeEntry = { kind: 'directory', path: 'src', uid: 0, gid: 0, mode: 0o755, mtimeMs: 0 };

/** The same client, with the time of each call that a step makes. */
function traced(client: Containerd, times: Times): Containerd {
  const wrap = <T extends object>(name: string, api: T): T =>
    new Proxy(api, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) =>
          timed(times, `${name}.${String(key)}`, () => value.apply(target, args) as Promise<unknown>);
      },
    });
  return { ...client, containers: wrap('containers', client.containers), tasks: wrap('tasks', client.tasks) };
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

function medians(times: Times): Record<string, number> {
  return Object.fromEntries(Object.entries(times).map(([name, all]) => [name, Math.round(median(all) * 10) / 10]));
}

/** What the same host takes for the least of it, in the same minute: runc alone, and containerd's own client. */
async function floors(server: ContainerdServer, directory: string): Promise<Record<string, number>> {
  const rootfs = join(directory, 'rootfs');
  await mkdir(join(rootfs, 'bin'), { recursive: true });
  for (const name of ['proc', 'sys', 'dev']) await mkdir(join(rootfs, name));
  await copyFile('/bin/busybox', join(rootfs, 'bin/sh'));
  const spec = buildRuncSpec({
    argv: ['/bin/sh', '-c', 'true'],
    cwd: '/',
    env: [],
    user: { uid: 0, gid: 0, additionalGids: [] },
    home: '/',
    hostname: 'builder',
    network: 'none',
    limits: {},
    binds: [],
    cgroupsPath: '/loam/bench/floor',
    host: await detectHostFeatures(),
  });
  await writeFile(join(directory, 'config.json'), JSON.stringify(spec));
  const times: Times = {};
  for (let round = 0; round < 10; round++) {
    const id = `floor-${round}`;
    await timed(times, 'runc run', () => run('runc', ['--root', server.runcRoot, 'run', '--bundle', directory, id]));
    await timed(times, 'ctr run', () =>
      server.ctr(['-n', 'floor', 'run', '--rm', '--rootfs', rootfs, id, '/bin/sh', '-c', 'true']),
    );
  }
  const source = join(directory, 'source');
  await writeFile(source, Buffer.alloc(200 << 20, 'x'));
  await mkdir(join(directory, 'many'));
  for (let round = 0; round < 3; round++) {
    await timed(times, 'cp 200 MB', () => run('cp', [source, `${source}-${round}`]));
    await timed(times, 'write 1000 files', async () => {
      for (let index = 0; index < 1000; index++)
        writeFileSync(join(directory, 'many', `${round}-${index}`), 'x'.repeat(1024));
    });
  }
  return medians(times);
}

const run = promisify(execFile);
const directory = await mkdtemp(join(tmpdir(), 'loam-bench-'));
const server = await startContainerd();
try {
  const calls: Times = {};
  const client = traced(connect({ address: server.address, namespace: 'bench' }), calls);
  const test = await openTestBackend(server, { client });
  const base = await busyboxBase(test);
  await runSteps(test, base, {});
  const rounds: number[] = [];
  const runTimes: Times = {};
  for (let round = 0; round < 3; round++) rounds.push(await runSteps(test, base, runTimes));
  const small: Times = {};
  const large: Times = {};
  const trees: Times = {};
  for (let round = 0; round < 3; round++) {
    const files = Array.from({ length: 1000 }, (_, index) => file(`src/${index}`, 1024));
    await copyLayer(test.backend.store, base, [sources, ...files], small);
    await copyLayer(test.backend.store, base, [sources, file('src/large', 200 << 20)], large);
    await timed(trees, 'open and close', async () => (await test.backend.store.tree(base)).close());
  }
  const result = {
    msPerStep: Math.round(median(rounds) * 10) / 10,
    step: medians(runTimes),
    calls: medians(calls),
    copy1000: medians(small),
    copy200MB: medians(large),
    tree: medians(trees),
    floors: await floors(server, directory),
  };
  console.log(JSON.stringify(result, undefined, values.json ? undefined : 2));
  await test.close();
} finally {
  await server.stop();
  await rm(directory, { recursive: true, force: true });
}
