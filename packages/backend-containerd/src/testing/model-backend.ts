import { randomUUID } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Platform, RunExit, RunRequest, SnapshotName, WorkingSnapshot } from '@loam/backend';
import { systemClock, type Clock } from '@loam/base';
import { connect, type Containerd } from '@loam/containerd';
import {
  baseLayer,
  brokenRules,
  ContainerdModel,
  type BaseLayerOptions,
  type ContainerdModelOptions,
} from '@loam/containerd-model';
import { localEndpoint } from '@loam/containerd/testing';
import { removeTree } from '@loam/files';

import { createContainerdBackend, type ContainerdBackend, type ContainerdBackendOptions } from '../backend.ts';
import { createHcsDriver, type HcsDriverOptions } from '../hcs/hcs-driver.ts';
import { findLeftovers } from '../leftovers.ts';

export const windowsPlatform: Platform = { os: 'windows', architecture: 'amd64', osVersion: '10.0.20348.1' };
const hostVersion = '10.0.20348';

/** The HCS back end on a model of Windows containerd, each with a directory of its own, for one test. Not Windows. */
export interface ModelBackend {
  readonly model: ContainerdModel;
  readonly client: Containerd;
  readonly agentId: string;
  /** The latest life of the back end. */
  readonly backend: ContainerdBackend;
  /** Opens another on the same data, cutting the old one off as a crash would. */
  readonly crash: () => Promise<ContainerdBackend>;
  readonly leftovers: () => Promise<string[]>;
  readonly close: () => Promise<void>;
}

export interface ModelBackendOptions {
  readonly model?: Partial<ContainerdModelOptions>;
  readonly backend?: Partial<ContainerdBackendOptions>;
  readonly driver?: Partial<HcsDriverOptions>;
}

export async function openModelBackend(options: ModelBackendOptions = {}): Promise<ModelBackend> {
  const directory = await mkdtemp(join(tmpdir(), 'loam-hcs-'));
  const model = await ContainerdModel.start({
    address: localEndpoint(join(directory, 's')),
    rootDirectory: join(directory, 'root'),
    ...options.model,
  });
  const connected = (): Containerd => connect({ address: model.address, namespace: 'loam' });
  const client = connected();
  const agentId = `agt_${randomUUID()}`;
  const stateDirectory = join(directory, 'state');
  const warnings: string[] = [];
  const networks = new Set<string>();
  const lives: Life[] = [];
  const latest = (): Life => lives.at(-1) as Life;
  const open = async (): Promise<void> => {
    const life = { client: connected(), isDead: false };
    const own = { client: life.client, agentId, stateDirectory, clock: clockOf(life), randomUUID };
    const driver = await createHcsDriver({
      ...own,
      networks: fakeNetworks(networks, life),
      hostVersion,
      hostProcessors: 4,
      pipePrefix: localEndpoint(join(directory, `p${lives.length}-`)),
      // No icacls here.
      runCommand: () => Promise.resolve(),
      ...options.driver,
    });
    const backend = await createContainerdBackend({
      ...own,
      driver,
      warn: (what, error) => {
        if (!life.isDead) warnings.push(`clean-up of ${what} failed: ${String(error)}`);
      },
      ...options.backend,
    });
    lives.push(Object.assign(life, { backend }));
  };
  await open();
  return {
    model,
    client,
    agentId,
    get backend() {
      return latest().backend;
    },
    async crash() {
      const lost = latest();
      lost.isDead = true;
      lost.client.close();
      await open();
      return latest().backend;
    },
    async leftovers() {
      const { backend } = latest();
      await backend.settled();
      const left = await findLeftovers(client, agentId, stateDirectory);
      return [...new Set([...left, ...(await backend.leftovers()), ...warnings])];
    },
    async close() {
      for (const life of lives) {
        await life.backend.close().catch((error: unknown) => {
          if (!life.isDead) throw error;
        });
        life.client.close();
      }
      client.close();
      await model.close();
      await removeTree(directory);
      // Whatever a test is about, the ten rules of the reference's §0 hold in it.
      const broken = brokenRules(model.recording);
      if (broken.length > 0) throw new Error(broken.join('\n'));
    },
  };
}

/** One life of the agent. A dead one cannot do anything any more, though its code still runs in this process. */
interface Life {
  readonly client: Containerd;
  readonly backend: ContainerdBackend;
  isDead: boolean;
}

/** For the dead time flies, so that what waits for containerd to come back gives up at once. */
function clockOf(life: { readonly isDead: boolean }): Clock {
  let flownMs = 0;
  return {
    ...systemClock,
    monotonic: () => systemClock.monotonic() + (life.isDead ? (flownMs += 1_500) : 0),
    after: (ms, callback, options) => systemClock.after(life.isDead ? 0 : ms, callback, options),
  };
}

/** Commits a base image's layer, the way the fetcher would. */
export async function windowsBase(
  { client, agentId }: ModelBackend,
  options: BaseLayerOptions = {},
): Promise<SnapshotName> {
  const tar = await baseLayer(options);
  const name = `base-${randomUUID()}`;
  const labels = { 'loam.agent': agentId, 'containerd.io/gc.root': new Date().toISOString() };
  const source = async function* (offset: number) {
    yield tar.subarray(offset);
  };
  const { digest, size } = await client.content.writeBlob({ ref: name, source, labels });
  const snapshots = client.snapshots('windows');
  const mounts = await snapshots.prepare({ key: `extract-${name}`, labels });
  await client.diff.apply({ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size }, mounts);
  await snapshots.commit({ name, key: `extract-${name}`, labels });
  return name as SnapshotName;
}

export interface RanOnModel {
  readonly exit: RunExit;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one process on a snapshot of its own, which is committed as `commitAs` or thrown away. */
export async function runOnBase(
  test: ModelBackend,
  base: SnapshotName,
  request: Partial<RunRequest>,
  commitAs?: string,
): Promise<RanOnModel> {
  const { store, sandbox } = test.backend;
  const lease = await store.lease('test');
  const output = { stdout: '', stderr: '' };
  try {
    const { scratchBytes } = request.limits ?? {};
    const working = await store.prepare(base, 'run', lease, { scratchBytes });
    try {
      const exit = await sandbox.run(
        windowsRun(working, request),
        { onOutput: (stream, bytes) => (output[stream] += Buffer.from(bytes).toString()) },
        new AbortController().signal,
      );
      if (commitAs !== undefined) await store.commit(working, commitAs as SnapshotName, {});
      return { exit, ...output };
    } finally {
      if (commitAs === undefined) await store.abandon(working);
    }
  } finally {
    await lease.release();
  }
}

/** Namespaces that are nothing but their GUIDs. They outlive a crash of the agent, as HCN's do. */
function fakeNetworks(runs: Set<string>, life: { isDead: boolean }): NonNullable<HcsDriverOptions['networks']> {
  return {
    connect: async (runId) => {
      runs.add(runId);
      return {
        namespace: randomUUID(),
        release: async () => {
          if (!life.isDead) runs.delete(runId);
        },
      };
    },
    reconcile: async () => {
      const { size } = runs;
      runs.clear();
      return size;
    },
    list: async () => [...runs],
  };
}

/** A run of `echo hi` on Windows, but for what `options` say. */
export function windowsRun(working: WorkingSnapshot, options: Partial<RunRequest> = {}): RunRequest {
  return {
    label: 'test',
    platform: windowsPlatform,
    working,
    argv: ['cmd', '/S', '/C', 'echo hi'],
    workdir: 'C:\\',
    env: [],
    user: { kind: 'name', name: 'ContainerAdministrator' },
    mounts: [],
    secrets: [],
    network: 'none',
    hostname: 'builder',
    limits: {},
    ...options,
  };
}
