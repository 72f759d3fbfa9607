/**
 * What a step costs on containerd and runc: `node packages/backend-containerd/bench/steps.ts [--steps 20] [--json]`.
 * Starts a containerd of its own; needs root and Debian's containerd, runc and busybox-static.
 */
import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';

import type { SnapshotName, Store, TreeEntry } from '@loam/backend';
import { connect, type Containerd } from '@loam/containerd';
import { startContainerd } from '@loam/testkit';

import { busyboxBase, openTestBackend, testPlatform, type TestBackend } from '../src/test-backend.ts';

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

const directory: TreeEntry = { kind: 'directory', path: 'src', uid: 0, gid: 0, mode: 0o755, mtimeMs: 0 };

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
  for (let round = 0; round < 3; round++) {
    const files = Array.from({ length: 1000 }, (_, index) => file(`src/${index}`, 1024));
    await copyLayer(test.backend.store, base, [directory, ...files], small);
    await copyLayer(test.backend.store, base, [directory, file('src/large', 200 << 20)], large);
  }
  const result = {
    msPerStep: Math.round(median(rounds) * 10) / 10,
    step: medians(runTimes),
    calls: medians(calls),
    copy1000: medians(small),
    copy200MB: medians(large),
  };
  console.log(JSON.stringify(result, undefined, values.json ? undefined : 2));
  await test.close();
} finally {
  await server.stop();
}
