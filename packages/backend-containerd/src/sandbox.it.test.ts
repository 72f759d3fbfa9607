import { readdirSync, readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { RunExit, RunIo, RunRequest, SnapshotName, TreeEntry, User, WorkingSnapshot } from '@loam/backend';
import { systemClock, type Clock } from '@loam/base';
import { startContainerd, type ContainerdServer } from '@loam/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';

import type { ContainerdBackendOptions } from './backend.ts';
import { detectHostFeatures } from './runc/host-features.ts';
import { busyboxBase, openTestBackend, testPlatform, type TestBackend } from './testing/test-backend.ts';

let server: ContainerdServer;
const opened: TestBackend[] = [];

beforeAll(async () => {
  server = await startContainerd();
});
afterAll(() => server.stop());
afterEach(async () => {
  for (const test of opened.splice(0)) {
    const left = await test.leftovers();
    await test.close();
    expect(left).toEqual([]);
  }
});

async function open(
  options: Partial<ContainerdBackendOptions> = {},
): Promise<{ test: TestBackend; base: SnapshotName }> {
  const test = await openTestBackend(server, options);
  opened.push(test);
  return { test, base: await busyboxBase(test) };
}

interface Setup extends Partial<RunRequest> {
  readonly stdin?: AsyncIterable<Uint8Array>;
  readonly signal?: AbortSignal;
  readonly onText?: (text: string) => void;
  readonly onPhase?: NonNullable<RunIo['onPhase']>;
}

async function runOn(
  { backend }: TestBackend,
  working: WorkingSnapshot,
  script: string,
  { stdin, signal, onText, onPhase, ...fields }: Setup = {},
): Promise<{ exit: RunExit; stdout: string }> {
  let stdout = '';
  const io: RunIo = {
    onOutput: (stream, bytes) => {
      if (stream !== 'stdout') return;
      stdout += Buffer.from(bytes).toString();
      onText?.(Buffer.from(bytes).toString());
    },
    ...(stdin === undefined ? {} : { stdin }),
    ...(onPhase === undefined ? {} : { onPhase }),
  };
  const request: RunRequest = {
    label: 'test',
    platform: testPlatform,
    working,
    argv: ['/bin/sh', '-c', script],
    workdir: '/',
    env: [['PATH', '/bin:/usr/bin']],
    user: { kind: 'id', uid: 0, gid: 0 },
    mounts: [],
    secrets: [],
    network: 'none',
    hostname: 'builder',
    limits: {},
    ...fields,
  };
  const exit = await backend.sandbox.run(request, io, signal ?? new AbortController().signal);
  return { exit, stdout };
}

/** Gives a working snapshot for as long as `use` takes. */
async function onWorking<T>(
  { backend }: TestBackend,
  parent: SnapshotName,
  use: (working: WorkingSnapshot) => Promise<T>,
): Promise<T> {
  const lease = await backend.store.lease('test');
  const working = await backend.store.prepare(parent, 'run', lease);
  try {
    return await use(working);
  } finally {
    await backend.store.abandon(working);
    await lease.release();
  }
}

function step(test: TestBackend, parent: SnapshotName, name: string, script: string): Promise<SnapshotName> {
  return onWorking(test, parent, async (working) => {
    expect((await runOn(test, working, script)).exit).toEqual({ kind: 'exited', code: 0 });
    return (await test.backend.store.commit(working, name as SnapshotName, {})).name;
  });
}

describe('depth', () => {
  it('130 steps in one build work, and a copy, a read and a named user on top of them', async () => {
    const { test, base } = await open();
    let top = base;
    for (let depth = 0; depth < 120; depth++) top = await step(test, top, `depth-${depth}`, `echo ${depth} > /last`);
    const { store } = test.backend;
    const lease = await store.lease('test');
    const working = await store.prepare(top, 'layer', lease);
    await store.applyLayer(working, entries([{ ...meta, kind: 'directory', path: 'etc/extra', mode: 0o755 }]));
    ({ name: top } = await store.commit(working, 'copied' as SnapshotName, {}));
    await lease.release();
    for (let depth = 0; depth < 10; depth++) top = await step(test, top, `later-${depth}`, 'test -d /etc/extra');
    const tree = await store.tree(top);
    expect((await tree.resolve('/usr/bin/last/../../last')).entry).toBeDefined();
    await tree.close();
    // Its user files are 130 layers down, below an /etc that has others.
    const named = await onWorking(test, top, (on) => runOn(test, on, 'id -u; echo $HOME', { user: name('opam') }));
    expect(named.stdout).toBe('1000\n/home/opam\n');
  });
});

describe('users', () => {
  it('HOME is the home of the user, unless the environment says another; root has /root, an unknown uid /', async () => {
    const { test, base } = await open();
    const home = async (user: User, env: RunRequest['env'] = []): Promise<string> =>
      (await onWorking(test, base, (working) => runOn(test, working, 'echo $HOME', { user, env }))).stdout.trim();
    expect(await home({ kind: 'id', uid: 0, gid: 0 })).toBe('/root');
    expect(await home({ kind: 'id', uid: 1000, gid: 1000 })).toBe('/home/opam');
    expect(await home(name('opam'))).toBe('/home/opam');
    expect(await home({ kind: 'id', uid: 77, gid: 77 })).toBe('/');
    expect(await home(name('opam'), [['HOME', '/own']])).toBe('/own');
  });
});

describe('endings', () => {
  it('an abort at any moment of a run ends as cancelled, and leaves nothing', async () => {
    const { test, base } = await open();
    for (const delayMs of [0, 1, 3, 6, 10, 20, 40, 70, 120]) {
      const abort = new AbortController();
      const running = onWorking(test, base, (working) => runOn(test, working, 'sleep 3600', { signal: abort.signal }));
      setTimeout(() => abort.abort(), delayMs);
      await expect(running).rejects.toMatchObject({ code: 'general.cancelled' });
    }
  });

  it('a process that hears SIGTERM can end by itself', async () => {
    // It has longer than this test, so that it is over only when it has heard.
    const { test, base } = await open({ killGraceMs: 3_600_000 });
    const abort = new AbortController();
    const onText = (): void => abort.abort();
    const script = "trap 'exit 0' TERM; echo hears; sleep 3600 & wait";
    const running = onWorking(test, base, (working) => runOn(test, working, script, { signal: abort.signal, onText }));
    await expect(running).rejects.toMatchObject({ code: 'general.cancelled' });
  });

  it('what is not seen dead in time is will-not-die, and the next life removes it', async () => {
    const { test, base } = await open({ killGraceMs: 0, killTimeoutMs: 0, warn: () => undefined });
    const abort = new AbortController();
    const lease = await test.backend.store.lease('test');
    const working = await test.backend.store.prepare(base, 'run', lease);
    const onText = (): void => abort.abort();
    // No signal arrives, so that the process cannot be faster than the time it is given.
    const kill = vi.spyOn(test.client.tasks, 'kill').mockResolvedValue();
    const running = runOn(test, working, 'echo runs; sleep 3600', { signal: abort.signal, onText });
    await expect(running).rejects.toMatchObject({ code: 'backend.will-not-die' });
    await test.backend.settled();
    kill.mockRestore();
    const reborn = await test.crash();
    await reborn.store.reconcile();
  });

  it('standard input that breaks ends the run with its error', async () => {
    const { test, base } = await open();
    async function* broken(): AsyncIterable<Uint8Array> {
      yield Buffer.from('first\n');
      await Promise.resolve();
      throw new Error('the source is gone');
    }
    await expect(onWorking(test, base, (on) => runOn(test, on, 'cat', { stdin: broken() }))).rejects.toThrow(
      'the source is gone',
    );
  });

  it('standard input that never comes does not hold a process that does not wait for it', async () => {
    const { test, base } = await open();
    async function* silent(): AsyncIterable<Uint8Array> {
      await new Promise(() => undefined);
      yield new Uint8Array();
    }
    const { exit } = await onWorking(test, base, (on) => runOn(test, on, 'exit 4', { stdin: silent() }));
    expect(exit).toEqual({ kind: 'exited', code: 4 });
  });
});

it('limits reach the control group of the step', async () => {
  const { test, base } = await open();
  const { unifiedCgroups } = await detectHostFeatures();
  const root = unifiedCgroups ? '/sys/fs/cgroup' : '/sys/fs/cgroup/cpu';
  const directory = `${root}/loam/${test.client.namespace}`;
  const running = onWorking(test, base, (working) =>
    runOn(test, working, 'echo started; cat', { limits: { cpus: 0.5, memoryBytes: 64 << 20 }, stdin: held.until() }),
  );
  const id = await eventually(async () => (await readdir(directory)).find((one) => one.startsWith('loam-')));
  const file = `${directory}/${id}/${unifiedCgroups ? 'cpu.max' : 'cpu.cfs_quota_us'}`;
  const wanted = unifiedCgroups ? '50000 100000' : '50000';
  await eventually(async () => (await readFile(file, 'utf8')).trim() === wanted || undefined);
  held.close();
  expect((await running).exit).toEqual({ kind: 'exited', code: 0 });
});

it('steps of a build hand over their shim, and runc is not asked for its address again', async () => {
  // However slow the machine is, no step comes too late for the shim of the one before.
  const { test, base } = await open({ clock: patientClock });
  const lease = await test.backend.store.lease('test');
  const addresses = new Set<string>();
  const handedOver: boolean[] = [];
  for (const snapshot of ['one', 'two', 'three']) {
    const working = await test.backend.store.prepare(base, 'run', lease);
    const onText = (): void => {
      const bundles = join(server.state, 'io.containerd.runtime.v2.task', test.client.namespace);
      for (const id of readdirSync(bundles)) for (const one of shimAddress(join(bundles, id))) addresses.add(one);
      handedOver.push(readdirSync(join(test.stateDirectory, 'shims')).some((file) => file.startsWith('loam-')));
    };
    await runOn(test, working, 'echo runs', { onText });
    await test.backend.store.commit(working, snapshot as SnapshotName, {});
  }
  expect(addresses.size).toBe(1);
  expect(handedOver).toEqual([false, true, true]);
  await lease.release();
});

const patientClock: Clock = {
  ...systemClock,
  after: (ms, callback, options) => systemClock.after(ms * 100, callback, options),
};

/** containerd 2 keeps more than the address, and elsewhere. Nothing of the step before, whose bundle may go as we look. */
function shimAddress(bundle: string): string[] {
  for (const name of ['address', 'bootstrap.json']) {
    try {
      return [readFileSync(join(bundle, name), 'utf8')];
    } catch {
      // Not this one, or no longer.
    }
  }
  return [];
}

it.each([0, 1])('a step outlives a restart of containerd, %i steps after the first of its shim', async (earlier) => {
  const { test, base } = await open();
  const lease = await test.backend.store.lease('test');
  for (let step = 0; step < earlier; step += 1) {
    const working = await test.backend.store.prepare(base, 'run', lease);
    await runOn(test, working, 'true');
    await test.backend.store.commit(working, `earlier-${step}` as SnapshotName, {});
  }
  const working = await test.backend.store.prepare(base, 'run', lease);
  const started = Promise.withResolvers<void>();
  let restarted: Promise<void> | undefined;
  let output = '';
  const script = 'echo started; sleep 2; echo still here; exit 5';
  const { exit } = await runOn(test, working, script, {
    onText: (text) => {
      output += text;
      // The output may be here before the answer to the start: without that, nobody knows whether it is the step that fails.
      restarted ??= started.promise.then(() => server.restart());
    },
    onPhase: (reached) => void (reached === 'started' && started.resolve()),
  });
  await restarted;
  expect(exit).toEqual({ kind: 'exited', code: 5 });
  expect(output).toBe('started\nstill here\n');
  await test.backend.store.abandon(working);
  await lease.release();
});

it('after a crash in the middle of a step, reconcile ends it: no process, record, secret or mount is left', async () => {
  // The first life goes on here, unlike after a crash, and finds its task taken away.
  const { test, base } = await open({ warn: () => undefined });
  const { store } = test.backend;
  const working = await store.prepare(base, 'run', await store.lease('lost'));
  let started: (() => void) | undefined;
  const begun = new Promise<void>((resolve) => (started = resolve));
  const secrets = [{ target: '/run/secret', value: Buffer.from('s3cret') }];
  const lost = test.backend.sandbox
    .run(
      {
        label: 'lost',
        platform: testPlatform,
        working,
        argv: ['/bin/sh', '-c', 'echo started; sleep 100'],
        workdir: '/',
        env: [['PATH', '/bin']],
        user: { kind: 'id', uid: 0, gid: 0 },
        mounts: [],
        secrets,
        network: 'none',
        hostname: 'builder',
        limits: {},
      },
      { onOutput: () => started?.() },
      new AbortController().signal,
    )
    .catch(() => undefined);
  await begun;
  expect(await test.leftovers()).not.toEqual([]);
  const reborn = await test.crash();
  expect(await reborn.store.reconcile()).toMatchObject({ tasks: 1, containers: 1, workingSnapshots: 1, leases: 1 });
  await lost;
  expect(await test.leftovers()).toEqual([]);
});

const meta = { uid: 0, gid: 0, mtimeMs: 0 };

async function* entries(list: readonly TreeEntry[]): AsyncIterable<TreeEntry> {
  yield* list;
}

function name(text: string): User {
  return { kind: 'name', name: text };
}

/** Standard input that stays open until it is closed. */
const held = (() => {
  let close: () => void = () => undefined;
  const closed = new Promise<void>((resolve) => (close = resolve));
  async function* until(): AsyncIterable<Uint8Array> {
    await closed;
    yield new Uint8Array();
  }
  return { until, close: () => close() };
})();

/** Asks again until there is an answer; the test's own time limit is the end of patience. */
async function eventually<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const value = await ask().catch(() => undefined);
    if (value !== undefined) return value;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
