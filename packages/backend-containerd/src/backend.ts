import { getServers } from 'node:dns';
import { mkdir } from 'node:fs/promises';
import { isIPv4 } from 'node:net';

import type { Fetcher, Sandbox, Store } from '@loam/backend';
import type { Clock } from '@loam/base';
import type { Containerd } from '@loam/containerd';

import { CleanupQueue } from './cleanup-queue.ts';
import { ContainerdFetcher } from './fetcher.ts';
import type { RegistriesConfig } from './fetcher/registry-config.ts';
import type { PlatformDriver } from './platform-driver.ts';
import { openKoffiHcn } from './hcs/hcn/koffi-hcn.ts';
import { createHcsDriver, type HcsOptions } from './hcs/hcs-driver.ts';
import { windowsNetworks } from './hcs/windows-networks.ts';
import { createRuncDriver } from './runc/runc-driver.ts';
import { ContainerdSandbox } from './sandbox.ts';
import { ContainerdStore } from './store.ts';
import { WorkingMounts } from './store/working-mounts.ts';

export interface ContainerdBackendOptions {
  /** Connected, in a namespace of this agent's own whose name does not contain `extract` (reference §0.1). */
  readonly client: Containerd;
  /** Labels everything that this agent makes; only what carries it is ever cleaned up. */
  readonly agentId: string;
  /** Absolute, on a local file system, held with `lockStateDirectory` by the caller. */
  readonly stateDirectory: string;
  readonly clock: Clock;
  readonly randomUUID: () => string;
  readonly registries?: RegistriesConfig;
  /** Of containerd, instead of the platform's usual one. */
  readonly snapshotter?: string;
  /** runc's state directory, instead of its default. */
  readonly runcRoot?: string;
  /** containerd is the agent's own: it sees `stateDirectory` under the same path, and does not outlive it. */
  readonly containerdIsOurs?: boolean;
  /** Only read on Windows. */
  readonly windows?: HcsOptions;
  /** Between SIGTERM and SIGKILL when a step is cancelled or out of time. */
  readonly killGraceMs?: number;
  /** How long a killed step may take to be gone before it counts as one that will not die. */
  readonly killTimeoutMs?: number;
  /** What differs between platforms, instead of the host's own. */
  readonly driver?: PlatformDriver;
  /** Told of clean-up that failed; what stays is removed by the next `reconcile`. */
  readonly warn?: (what: string, error: unknown) => void;
}

export interface ContainerdBackend {
  readonly store: Store;
  readonly sandbox: Sandbox;
  readonly fetcher: Fetcher;
  /** Resolves when all clean-up in the background is done. */
  settled(): Promise<void>;
  /** What of ours is unfinished on the host (mounts, secrets, caches in use). For leak checks. */
  leftovers(): Promise<string[]>;
  /** Ends what is ours and leaves the client open. Nothing may run any more. */
  close(): Promise<void>;
}

/** The three ports on containerd. The namespace is made when it is not there. */
export async function createContainerdBackend(options: ContainerdBackendOptions): Promise<ContainerdBackend> {
  const { client, agentId, stateDirectory, clock, randomUUID, registries = {} } = options;
  if (/extract/i.test(client.namespace)) throw new Error('the namespace must not contain "extract"');
  await mkdir(stateDirectory, { recursive: true, mode: 0o711 });
  await client.namespaces.ensure();
  const driver = options.driver ?? (await hostDriver(options));
  const mounts = new WorkingMounts(client.snapshots(driver.snapshotter), clock);
  const warn = options.warn ?? (() => undefined);
  const cleanup = new CleanupQueue(clock, warn);
  const shared = { client, driver, agentId, clock, randomUUID, mounts, cleanup };
  const store = new ContainerdStore({ ...shared, stateDirectory, warn });
  const sandbox = new ContainerdSandbox({
    ...shared,
    killGraceMs: options.killGraceMs ?? driver.patience.killGraceMs,
    killTimeoutMs: options.killTimeoutMs ?? driver.patience.killTimeoutMs,
  });
  const fetcher = new ContainerdFetcher({ client, driver, agentId, clock, randomUUID, registries });
  return {
    store,
    sandbox,
    fetcher,
    settled: () => cleanup.drain(),
    leftovers: async () => [...(await driver.leftovers()), ...store.cachesInUse().map((id) => `cache ${id} in use`)],
    async close() {
      await store.close();
      await driver.close();
    },
  };
}

async function hostDriver(options: ContainerdBackendOptions): Promise<PlatformDriver> {
  if (process.platform === 'linux') return createRuncDriver(options);
  if (process.platform !== 'win32') throw new Error(`there is no platform driver for ${process.platform}`);
  const { agentId, stateDirectory, randomUUID, windows = {} } = options;
  const networks = windowsNetworks({
    settings: windows.network ?? {},
    openApi: () => openKoffiHcn(),
    agentId,
    randomUUID,
    stateDirectory,
    hostDnsServers: getServers().filter((address) => isIPv4(address) && !address.startsWith('127.')),
  });
  return createHcsDriver({ ...options, ...windows, networks });
}
