import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { RunRequest, SnapshotName, TreeEntry, WorkingSnapshot } from '@loam/backend';
import { systemClock, TestClock } from '@loam/base';
import { connect, type Containerd } from '@loam/containerd';
import { brokenRules, ContainerdModel, runProgram, type Program } from '@loam/containerd-model';
import { localEndpoint } from '@loam/containerd/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createContainerdBackend, type ContainerdBackend } from '../backend.ts';
import { findLeftovers } from '../leftovers.ts';
import type { PlatformDriver } from '../platform-driver.ts';
import { createHcsDriver, type HcsDriverOptions } from './hcs-driver.ts';
import type { NetworkProvider } from '../networks.ts';
import { windowsRun } from '../testing/model-backend.ts';

/** The driver, the shared store and sandbox, and the model of containerd on Windows: see its own words about what it shows. */
let directory: string;
let model: ContainerdModel;
let client: Containerd;
let driver: PlatformDriver;
let backend: ContainerdBackend;
let connected: Set<string>;
let program: Program | undefined;
let warnings: string[];

const agentId = 'agt_windows';
const namespace = '11111111-2222-4333-8444-555555555555';
const networks: NetworkProvider = {
  connect(runId) {
    connected.add(runId);
    return Promise.resolve({ namespace, release: () => Promise.resolve(void connected.delete(runId)) });
  },
  reconcile: () => Promise.resolve(0),
  list: () => Promise.resolve([...connected]),
};

async function open(options: Partial<HcsDriverOptions> = {}): Promise<void> {
  const common = { client, agentId, stateDirectory: join(directory, 'state'), clock: systemClock, randomUUID };
  driver = await createHcsDriver({
    ...common,
    hostVersion: '10.0.20348',
    hostProcessors: 4,
    pipePrefix: localEndpoint(join(directory, 'p-')),
    networks,
    runCommand: () => Promise.resolve(),
    ...options,
  });
  warnings = [];
  const warn = (what: string, error: unknown): void => void warnings.push(`${what}: ${String(error)}`);
  backend = await createContainerdBackend({ ...common, driver, killGraceMs: 20, warn });
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'loam-hcs-'));
  connected = new Set();
  program = undefined;
  model = await ContainerdModel.start({
    address: localEndpoint(join(directory, 'c.sock')),
    rootDirectory: join(directory, 'root'),
    program: (context) => (program ?? runProgram)(context),
  });
  client = connect({ address: model.address, namespace: 'builds' });
  await open();
});
afterEach(async () => {
  await backend.settled();
  const left = [...(await findLeftovers(client, agentId, directory)), ...(await backend.leftovers())];
  await backend.close();
  client.close();
  await model.close();
  expect(left).toEqual([]);
  expect(brokenRules(model.recording)).toEqual([]);
  expect((await readdir(directory)).filter((name) => name.startsWith('p-'))).toEqual([]);
  await rm(directory, { recursive: true });
});

const meta = { uid: 0, gid: 0, mode: 0o644, mtimeMs: 1_700_000_000_000 };
function file(path: string, text: string): TreeEntry {
  const bytes = new TextEncoder().encode(text);
  async function* read(): AsyncIterable<Uint8Array> {
    yield bytes;
  }
  return { ...meta, kind: 'file', path, sizeBytes: bytes.length, open: read };
}

async function* from(entries: readonly TreeEntry[]): AsyncIterable<TreeEntry> {
  yield* entries;
}

/** What one step makes, under a lease of its own. */
async function step<T>(
  parent: SnapshotName | null,
  purpose: 'run' | 'layer',
  work: (working: WorkingSnapshot) => Promise<T>,
): Promise<T> {
  const lease = await backend.store.lease('test');
  try {
    const working = await backend.store.prepare(parent, purpose, lease);
    try {
      return await work(working);
    } finally {
      await backend.store.abandon(working);
    }
  } finally {
    await lease.release();
  }
}

async function baseImage(): Promise<SnapshotName> {
  const programs = ['cmd.exe', 'tar.exe'].map((name) => file(`Windows/System32/${name}`, 'MZ'));
  return step(null, 'layer', async (working) => {
    await backend.store.applyLayer(working, from([...programs, file('src/a.txt', 'hello')]));
    return (await backend.store.commit(working, 'base' as SnapshotName, {})).name;
  });
}

function request(working: WorkingSnapshot, options: Partial<RunRequest> = {}): RunRequest {
  const platform = { os: 'windows', architecture: 'amd64', osVersion: '10.0.20348.1' } as const;
  return windowsRun(working, { platform, ...options });
}

interface Ran {
  readonly exit: unknown;
  readonly stdout: string;
}

async function run(base: SnapshotName, options: Partial<RunRequest> = {}, signal?: AbortSignal): Promise<Ran> {
  return step(base, 'run', async (working) => {
    let stdout = '';
    const io = { onOutput: (_: string, bytes: Uint8Array) => (stdout += Buffer.from(bytes).toString()) };
    const exit = await backend.sandbox.run(request(working, options), io, signal ?? new AbortController().signal);
    return { exit, stdout };
  });
}

describe('a step on the model', () => {
  it('rule 1, §11.2 #25: runs on a snapshot of its own, and its children see what it wrote', async () => {
    const base = await baseImage();
    await step(base, 'run', async (working) => {
      const argv = ['cmd', '/S', '/C', 'echo made> C:\\src\\b.txt'];
      const io = { onOutput: () => undefined };
      const exit = await backend.sandbox.run(request(working, { argv }), io, new AbortController().signal);
      expect(exit).toEqual({ kind: 'exited', code: 0 });
      await backend.store.commit(working, 'step' as SnapshotName, {});
    });
    expect(model.layerOf('builds', 'step')).toMatchObject({ hasFiles: true });
    const tree = await backend.store.tree('step' as SnapshotName);
    const { entry } = await tree.resolve('src/b.txt');
    expect(entry).toMatchObject({ kind: 'file' });
    await tree.close();
    const { stdout } = await run('step' as SnapshotName, { argv: ['cmd', '/S', '/C', 'type C:\\src\\b.txt'] });
    expect(stdout.trim()).toBe('made');
  });

  it('gets its working directory made when it is not there, and its output once', async () => {
    const base = await baseImage();
    expect(await run(base, { workdir: 'C:\\new\\deep', network: 'nat' })).toEqual({
      exit: { kind: 'exited', code: 0 },
      stdout: 'hi\r\n',
    });
  });

  it('§11.2 #17: a Unix user is refused before anything is made', async () => {
    const base = await baseImage();
    await expect(run(base, { user: { kind: 'id', uid: 1000, gid: 1000 } })).rejects.toMatchObject({
      code: 'backend.unix-user',
    });
  });

  it('§11.2 #22: a crash is told with its meaning, lack of memory as such, and what the host lost as an error', async () => {
    const base = await baseImage();
    const exits = async (code: number, options: Partial<RunRequest> = {}): Promise<unknown> => {
      program = () => Promise.resolve(code);
      return (await run(base, options)).exit;
    };
    expect(await exits(3)).toEqual({ kind: 'exited', code: 3 });
    expect(await exits(0xc0000005)).toMatchObject({ code: 0xc0000005, meaning: expect.stringContaining('0xC0000005') });
    expect(await exits(0xc0000017, { limits: { memoryBytes: 1 << 20 } })).toEqual({ kind: 'out-of-memory' });
    await expect(exits(0xffffffff)).rejects.toMatchObject({ code: 'backend.task-lost' });
  });

  it('§11.2 #23, vectors (10) kill: is cancelled politely first, then for good, and nothing runs afterwards', async () => {
    const base = await baseImage();
    const heard: string[] = [];
    const started = Promise.withResolvers<void>();
    program = ({ signal, onConsoleEvent }) => {
      onConsoleEvent((event) => void heard.push(event));
      started.resolve();
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve(1)));
    };
    const clock = new TestClock();
    const common = { client, agentId, stateDirectory: join(directory, 'state'), clock, randomUUID, driver };
    backend = await createContainerdBackend({ ...common, killGraceMs: 20 });
    const controller = new AbortController();
    const running = run(base, { network: 'nat' }, controller.signal);
    const ended = expect(running).rejects.toMatchObject({ code: 'general.cancelled' });
    await started.promise;
    controller.abort();
    await expect.poll(() => heard).toHaveLength(1);
    await clock.advance(20);
    await ended;
    expect(heard).toHaveLength(1);
    expect(model.faults.calls.filter((call) => call === 'Tasks.Kill')).toHaveLength(2);
  });

  it('§11.2 #1: has its secrets as files while it runs, and they are gone afterwards, failed or not', async () => {
    const base = await baseImage();
    const secrets = [{ target: 'C:\\secrets\\key', value: new TextEncoder().encode('hunter2') }];
    const argv = ['cmd', '/S', '/C', 'type C:\\secrets\\key'];
    expect((await run(base, { secrets, argv })).stdout).toContain('hunter2');
    model.faults.plant({
      method: 'Tasks.Create',
      times: 1,
      error: { code: 2, text: 'hcs::System::Start: operation timeout' },
    });
    await expect(run(base, { secrets })).rejects.toMatchObject({ code: 'backend.host-overloaded' });
    expect(await backend.leftovers()).toEqual([]);
  });

  it('§11.2 #9, vectors (10) start-up: that a crash left is removed by the next life, and what others have is not', async () => {
    const base = await baseImage();
    const root = { 'containerd.io/gc.root': 'x' };
    await client
      .snapshots('windows')
      .prepare({ key: 'loam-run-foreign', parent: base, labels: { ...root, 'loam.agent': 'agt_other' } });
    const lease = await backend.store.lease('crashed');
    await backend.store.prepare(base, 'run', lease);
    const before = backend;
    await open();
    expect(await backend.store.reconcile()).toMatchObject({ workingSnapshots: 1, leases: 1 });
    expect((await client.snapshots('windows').stat('loam-run-foreign')).kind).toBe('active');
    await before.close();
  });
});

describe('what a run is given', () => {
  async function prepared(options: Partial<RunRequest>): Promise<{ spec: object; runtimeOptions: unknown }> {
    const working = {
      key: 'k',
      parent: null,
      purpose: 'run',
      lease: { id: 'l', release: () => Promise.resolve() },
    } as const;
    const io = { onOutput: () => undefined };
    const host = await driver.prepareRun({
      id: `r-${randomUUID()}`,
      group: '',
      predecessor: undefined,
      request: request(working, options),
      mounts: [],
      io,
    });
    await host.release();
    return { spec: host.spec, runtimeOptions: host.runtimeOptions };
  }

  it('vectors (10) networks: a network of its own when it asks for one, by either name, and none when it does not', async () => {
    for (const network of ['host', 'nat'] as const) {
      expect((await prepared({ network })).spec).toHaveProperty('windows.network.networkNamespace', namespace);
    }
    expect((await prepared({})).spec).not.toHaveProperty('windows.network');
    await open({ networks: undefined as never });
    await expect(prepared({ network: 'nat' })).rejects.toMatchObject({ code: 'backend.network-unsupported' });
  });

  it('isolation by image and policy, the same in specification and options', async () => {
    const older = { os: 'windows', architecture: 'amd64', osVersion: '10.0.17763.1' } as const;
    await expect(prepared({ platform: older })).rejects.toMatchObject({ code: 'backend.os-mismatch' });
    await open({ isolation: 'process-or-hyperv' });
    const virtual = await prepared({ platform: older });
    expect(virtual.spec).toHaveProperty('windows.hyperv');
    expect(virtual.runtimeOptions).toMatchObject({ sandboxIsolation: 'hypervisor' });
    expect((await prepared({ limits: { isolation: 'hyperv' } })).spec).toHaveProperty('windows.hyperv');
    const plain = await prepared({});
    expect(plain.spec).not.toHaveProperty('windows.hyperv');
    expect(plain.runtimeOptions).toMatchObject({ sandboxIsolation: 'process', ioRetryTimeoutSec: 30 });
  });
});

it('a refusal names what the host runs, and a build cannot choose what the operator does not allow', async () => {
  const io = { onOutput: () => undefined };
  const working = {
    key: 'k',
    parent: null,
    purpose: 'run',
    lease: { id: 'l', release: () => Promise.resolve() },
  } as const;
  const prepare = (options: Partial<RunRequest>): Promise<unknown> =>
    driver.prepareRun({
      id: 'r',
      group: '',
      predecessor: undefined,
      request: request(working, options),
      mounts: [],
      io,
    });
  await expect(
    prepare({ platform: { os: 'windows', architecture: 'amd64', osVersion: '10.0.17763.1' } }),
  ).rejects.toMatchObject({
    code: 'backend.os-mismatch',
    message: expect.stringMatching(/10\.0\.17763\.1 .*ltsc2022/) as string,
  });
  await expect(prepare({ limits: { isolation: 'hyperv' } })).rejects.toMatchObject({
    code: 'backend.isolation-refused',
  });
});

it('limits of the operator hold for steps whose build sets none', async () => {
  await open({ limits: { cpus: 2, memoryBytes: 1 << 30, scratchBytes: 40 << 20 } });
  const working = {
    key: 'k',
    parent: null,
    purpose: 'run',
    lease: { id: 'l', release: () => Promise.resolve() },
  } as const;
  const io = { onOutput: () => undefined };
  const host = await driver.prepareRun({
    id: 'r',
    group: '',
    predecessor: undefined,
    request: request(working, { limits: { cpus: 3 } }),
    mounts: [],
    io,
  });
  await host.release();
  expect(host.spec).toMatchObject({ windows: { resources: { cpu: { count: 3 }, memory: { limit: 1 << 30 } } } });
  const label = 'containerd.io/snapshot/windows/rootfs.sizebytes';
  expect(driver.snapshotLabels('run')).toEqual({ [label]: String(40 << 20) });
  expect(driver.snapshotLabels('run', 60 << 20)).toEqual({ [label]: String(60 << 20) });
  expect(driver.snapshotLabels('layer', 60 << 20)).toEqual({});
});

it('the scratch size of a build reaches the snapshotter', async () => {
  const base = await baseImage();
  const lease = await backend.store.lease('test');
  const working = await backend.store.prepare(base, 'run', lease, { scratchBytes: 60 << 20 });
  expect((await client.snapshots('windows').stat(working.key)).labels).toMatchObject({
    'containerd.io/snapshot/windows/rootfs.sizebytes': String(60 << 20),
  });
  await backend.store.abandon(working);
  await lease.release();
});

it('secrets lie below the directory that the operator names, whose other files stay', async () => {
  const own = join(directory, 'secrets');
  await mkdir(own);
  await writeFile(join(own, 'precious'), 'x');
  await open({ secretsDirectory: own });
  const base = await baseImage();
  const secrets = [{ target: 'C:\\key', value: new TextEncoder().encode('hunter2') }];
  expect((await run(base, { secrets, argv: ['cmd', '/S', '/C', 'type C:\\key'] })).stdout).toContain('hunter2');
  await backend.store.reconcile();
  expect(await readdir(own)).toEqual(['precious']);
});

it('a network that cannot be taken down is told, and does not change how the step ended', async () => {
  await open({
    networks: {
      ...networks,
      connect: async () => ({ namespace, release: () => Promise.reject(new Error('HNS is down')) }),
    },
  });
  const base = await baseImage();
  expect((await run(base, { network: 'nat' })).exit).toEqual({ kind: 'exited', code: 0 });
  expect(warnings).toEqual([expect.stringMatching(/^host of loam-.*HNS is down/)]);
});

it('variables without a value are told to be unset, by their last spelling, once even when the step is started again', async () => {
  const base = await baseImage();
  let stderr = '';
  await step(base, 'run', async (working) => {
    const env = [
      ['A', ''],
      ['Path', 'C:\\x'],
      ['B', ''],
      ['b', 'set again'],
    ] as const;
    await backend.sandbox.run(
      request(working, { env, workdir: 'C:\\not\\there\\yet' }),
      { onOutput: (stream, bytes) => (stderr += stream === 'stderr' ? Buffer.from(bytes).toString() : '') },
      new AbortController().signal,
    );
  });
  expect(stderr).toBe('loam: Windows has no empty variables; not set for this step: A\r\n');
});

it('a container that outlives the kill is ended past the shim; one that outlives that, too, is named', async () => {
  const base = await baseImage();
  const commands: string[] = [];
  let ends: () => void = () => undefined;
  program = () => new Promise((resolve) => (ends = () => resolve(1)));
  const hangs = async (onCommand: () => void): Promise<void> => {
    await open({
      runCommand: async (...command) => {
        commands.push(command.flat().join(' '));
        onCommand();
      },
    });
    const clock = new TestClock();
    backend = await createContainerdBackend({
      client,
      agentId,
      stateDirectory: join(directory, 'state'),
      clock,
      randomUUID,
      driver,
      killGraceMs: 20,
      killTimeoutMs: 500,
    });
    const lift = model.faults.plant({
      method: 'Tasks.Kill',
      error: { code: 2, text: 'hcs::System::Terminate: timeout' },
    });
    const controller = new AbortController();
    const starts = model.faults.calls.filter((call) => call === 'Tasks.Start').length;
    const running = run(base, {}, controller.signal);
    running.catch(() => undefined);
    await expect.poll(() => model.faults.calls.filter((call) => call === 'Tasks.Start').length).toBe(starts + 1);
    controller.abort();
    const stop = setInterval(() => void clock.advance(100), 5);
    await running.finally(() => {
      clearInterval(stop);
      lift();
    });
  };
  await expect(hangs(() => ends())).rejects.toMatchObject({ code: 'general.cancelled' });
  expect(commands).toEqual([expect.stringMatching(/^hcsdiag kill loam-/)]);
  await expect(hangs(() => undefined)).rejects.toMatchObject({
    code: 'backend.will-not-die',
    message: expect.stringMatching(/container loam-.*, killed 0\.5 s ago, and ended past the runtime/) as string,
  });
  ends();
  // It is left as it is; the next life removes it.
  await open();
  expect(await backend.store.reconcile()).toMatchObject({ tasks: 1, containers: 1, workingSnapshots: 1 });
});

it('a container of an earlier life that will not die is named by the next one, which does not wait for ever', async () => {
  const base = await baseImage();
  let ends: () => void = () => undefined;
  program = () => new Promise((resolve) => (ends = () => resolve(1)));
  const before = backend;
  const working = await before.store.prepare(base, 'run', await before.store.lease('test'));
  const never = new AbortController().signal;
  const running = before.sandbox.run(request(working), { onOutput: () => undefined }, never);
  await expect.poll(() => model.faults.calls.includes('Tasks.Start')).toBe(true);
  const lift = model.faults.plant({
    method: 'Tasks.Kill',
    error: { code: 2, text: 'hcs::System::Terminate: timeout' },
  });
  const commands: string[] = [];
  await open({ runCommand: async (...command) => void commands.push(command.flat().join(' ')) });
  const clock = new TestClock();
  const common = { client, agentId, stateDirectory: join(directory, 'state'), clock, randomUUID, driver };
  const next = await createContainerdBackend(common);
  const stop = setInterval(() => void clock.advance(1_000), 1);
  await expect(next.store.reconcile()).rejects.toMatchObject({
    code: 'backend.will-not-die',
    message: expect.stringMatching(/container loam-.*, killed 70 s ago, and ended past the runtime/) as string,
  });
  clearInterval(stop);
  expect(commands).toEqual([expect.stringMatching(/^hcsdiag kill loam-/)]);
  lift();
  ends();
  await running;
  await before.settled();
  expect(await backend.store.reconcile()).toMatchObject({ tasks: 0, workingSnapshots: 1 });
});

describe('a reader whose container outlives the kill', () => {
  /** The long limits, of the kill and of what is tried after it, are over one after the other as soon as they have begun. */
  async function readAndClose(onCommand: () => Promise<void>, limits: number): Promise<string[]> {
    const base = await baseImage();
    const commands: string[] = [];
    const waiting: (() => void)[] = [];
    const clock = {
      ...systemClock,
      after(...[ms, callback, options]: Parameters<typeof systemClock.after>) {
        if (ms <= 20_000) return systemClock.after(ms, callback, options);
        waiting.push(callback);
        return () => void waiting.splice(0, waiting.length, ...waiting.filter((other) => other !== callback));
      },
    };
    await open({
      clock,
      runCommand: async (...command) => {
        commands.push(command.flat().join(' '));
        await onCommand();
      },
    });
    const tree = await backend.store.tree(base);
    expect((await tree.resolve('src/a.txt')).entry).toMatchObject({ kind: 'file' });
    const lift = model.faults.plant({
      method: 'Tasks.Kill',
      error: { code: 2, text: 'hcs::System::Terminate: timeout' },
    });
    ends = async () => {
      lift();
      for (const { id } of await client.containers.list()) await client.tasks.kill(id, 9, { all: true });
    };
    const closed = tree.close();
    for (let limit = 0; limit < limits; limit += 1) {
      await expect.poll(() => waiting).toHaveLength(1);
      waiting.shift()?.();
    }
    await closed.finally(lift);
    return commands;
  }
  let ends: () => Promise<void> = () => Promise.resolve();

  it('is ended past the shim, and leaves nothing', async () => {
    expect(await readAndClose(() => ends(), 1)).toEqual([expect.stringMatching(/^hcsdiag kill loam-tree-/)]);
    expect(warnings).toEqual([]);
  });

  it('is told when that does not help either; what was read counts, and the next life removes the container', async () => {
    await readAndClose(() => Promise.resolve(), 2);
    expect(warnings).toEqual([expect.stringMatching(/^view loam-tree-.*killed 70 s ago/)]);
    expect(await readdir(join(directory, 'state', 'trees'))).toEqual([]);
    await open();
    expect(await backend.store.reconcile()).toMatchObject({ containers: 1 });
  });
});

it('rule 1: a namespace with "extract" in it is refused', async () => {
  const other = connect({ address: model.address, namespace: 'my-extracts' });
  const options = { client: other, agentId, stateDirectory: directory, clock: systemClock, randomUUID };
  await expect(createHcsDriver(options)).rejects.toThrow('must not contain "extract"');
  other.close();
});

it('§11.2 #26: free space is that of the volume of the snapshots', async () => {
  expect(await driver.snapshotVolume()).toContain(join(directory, 'root'));
  expect((await backend.store.disk()).totalBytes).toBeGreaterThan(0);
});

it('the probe for that volume may have been collected before it is removed', async () => {
  model.faults.plant({ method: 'Snapshots.Remove', times: 1, error: { code: 5, text: 'snapshot does not exist' } });
  expect(await driver.snapshotVolume()).toContain(join(directory, 'root'));
});

it('commits take turns', async () => {
  const base = await baseImage();
  let atOnce = 0;
  let most = 0;
  model.faults.plant({
    method: 'Snapshots.Commit',
    before: async () => {
      most = Math.max(most, ++atOnce);
      await new Promise((resolve) => setImmediate(resolve));
    },
    after: () => void atOnce--,
  });
  const layers = ['a', 'b', 'c'].map((name) =>
    step(base, 'layer', async (working) => {
      await backend.store.applyLayer(working, from([file(name, name)]));
      await backend.store.commit(working, `layer-${name}` as SnapshotName, {});
    }),
  );
  await Promise.all(layers);
  expect(most).toBe(1);
});
