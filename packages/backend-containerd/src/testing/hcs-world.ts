import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { RunRequest, SnapshotName, TreeEntry, WorkingSnapshot } from '@loam/backend';
import { systemClock } from '@loam/base';
import { connect, type Containerd } from '@loam/containerd';
import { brokenRules, ContainerdModel, runProgram, type Program } from '@loam/containerd-model';
import { localEndpoint } from '@loam/containerd/testing';
import { removeTree } from '@loam/files';
import { afterEach, beforeEach, expect } from 'vitest';

import { createContainerdBackend, type ContainerdBackend, type ContainerdBackendOptions } from '../backend.ts';
import { createHcsDriver, type HcsDriverOptions } from '../hcs/hcs-driver.ts';
import { findLeftovers } from '../leftovers.ts';
import type { NetworkProvider } from '../networks.ts';
import type { PlatformDriver } from '../platform-driver.ts';
import { windowsRun } from './model-backend.ts';

const agentId = 'agt_windows';

/**
 * The driver, the shared store and sandbox, and the model of containerd on Windows: see its own words about what it shows.
 * One for all tests of a file, made anew for each; a test that leaves something or breaks one of the ten rules fails.
 */
export class HcsWorld {
  readonly agentId = agentId;
  readonly namespace = '11111111-2222-4333-8444-555555555555';
  directory!: string;
  model!: ContainerdModel;
  client!: Containerd;
  /** Of the latest life. */
  driver!: PlatformDriver;
  backend!: ContainerdBackend;
  /** What steps run instead of the commands that the model knows. */
  program: Program | undefined;
  warnings: string[] = [];
  readonly #connected = new Set<string>();

  /** Networks that are nothing but their GUID. */
  readonly networks: NetworkProvider = {
    connect: (runId) => {
      this.#connected.add(runId);
      const release = () => Promise.resolve(void this.#connected.delete(runId));
      return Promise.resolve({ namespace: this.namespace, release });
    },
    reconcile: () => Promise.resolve(0),
    list: () => Promise.resolve([...this.#connected]),
  };

  async start(): Promise<void> {
    this.directory = await mkdtemp(join(tmpdir(), 'loam-hcs-'));
    this.#connected.clear();
    this.program = undefined;
    this.model = await ContainerdModel.start({
      address: localEndpoint(join(this.directory, 'c.sock')),
      rootDirectory: join(this.directory, 'root'),
      program: (context) => (this.program ?? runProgram)(context),
    });
    this.client = connect({ address: this.model.address, namespace: 'builds' });
    await this.open();
  }

  async stop(): Promise<void> {
    await this.backend.settled();
    const left = [...(await findLeftovers(this.client, agentId, this.directory)), ...(await this.backend.leftovers())];
    await this.backend.close();
    this.client.close();
    await this.model.close();
    expect(left).toEqual([]);
    expect(brokenRules(this.model.recording)).toEqual([]);
    expect((await readdir(this.directory)).filter((name) => name.startsWith('p-'))).toEqual([]);
    await removeTree(this.directory);
  }

  /** Another life on the same data. */
  async open(options: Partial<HcsDriverOptions> = {}): Promise<void> {
    this.driver = await createHcsDriver({
      ...this.#common(),
      hostVersion: '10.0.20348',
      hostProcessors: 4,
      pipePrefix: localEndpoint(join(this.directory, 'p-')),
      networks: this.networks,
      runCommand: () => Promise.resolve(),
      ...options,
    });
    this.warnings = [];
    const warn = (what: string, error: unknown): void => void this.warnings.push(`${what}: ${String(error)}`);
    this.backend = await this.backendWith({ killGraceMs: 20, warn });
  }

  /** Another back end on the driver of this life. */
  backendWith(options: Partial<ContainerdBackendOptions>): Promise<ContainerdBackend> {
    return createContainerdBackend({ ...this.#common(), driver: this.driver, ...options });
  }

  #common() {
    const stateDirectory = join(this.directory, 'state');
    return { client: this.client, agentId, stateDirectory, clock: systemClock, randomUUID };
  }

  /** What one step makes, under a lease of its own. */
  async step<T>(
    parent: SnapshotName | null,
    purpose: 'run' | 'layer',
    work: (working: WorkingSnapshot) => Promise<T>,
  ): Promise<T> {
    const { store } = this.backend;
    const lease = await store.lease('test');
    try {
      const working = await store.prepare(parent, purpose, lease);
      try {
        return await work(working);
      } finally {
        await store.abandon(working);
      }
    } finally {
      await lease.release();
    }
  }

  async baseImage(): Promise<SnapshotName> {
    const programs = ['cmd.exe', 'tar.exe'].map((name) => file(`Windows/System32/${name}`, 'MZ'));
    return this.step(null, 'layer', async (working) => {
      await this.backend.store.applyLayer(working, from([...programs, file('src/a.txt', 'hello')]));
      return (await this.backend.store.commit(working, 'base' as SnapshotName, {})).name;
    });
  }

  async run(base: SnapshotName, options: Partial<RunRequest> = {}, signal?: AbortSignal): Promise<Ran> {
    return this.step(base, 'run', async (working) => {
      let stdout = '';
      const io = { onOutput: (_: string, bytes: Uint8Array) => (stdout += Buffer.from(bytes).toString()) };
      const { sandbox } = this.backend;
      const exit = await sandbox.run(windowsRun(working, options), io, signal ?? new AbortController().signal);
      return { exit, stdout };
    });
  }
}

export interface Ran {
  readonly exit: unknown;
  readonly stdout: string;
}

/** To be called at the top of a file of tests. */
export function useHcsWorld(): HcsWorld {
  const world = new HcsWorld();
  beforeEach(() => world.start());
  afterEach(() => world.stop());
  return world;
}

/** A file of a layer. */
export function file(path: string, text: string): TreeEntry {
  const bytes = new TextEncoder().encode(text);
  async function* read(): AsyncIterable<Uint8Array> {
    yield bytes;
  }
  const meta = { uid: 0, gid: 0, mode: 0o644, mtimeMs: 1_700_000_000_000 };
  return { ...meta, kind: 'file', path, sizeBytes: bytes.length, open: read };
}

export async function* from(entries: readonly TreeEntry[]): AsyncIterable<TreeEntry> {
  yield* entries;
}
