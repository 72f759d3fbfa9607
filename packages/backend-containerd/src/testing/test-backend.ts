import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Platform, SnapshotName } from '@loam/backend';
import { systemClock } from '@loam/base';
import { connect, type Containerd } from '@loam/containerd';
import type { ContainerdServer } from '@loam/testkit';

import { createContainerdBackend, type ContainerdBackend, type ContainerdBackendOptions } from '../backend.ts';
import { busyboxImageArchive, busyboxImageName } from '../base-image.ts';
import { createRuncDriver } from '../runc/runc-driver.ts';
import { findLeftovers } from '../leftovers.ts';

/** A back end in a namespace and state directory of its own, for one test. */
export interface TestBackend {
  readonly client: Containerd;
  readonly agentId: string;
  readonly stateDirectory: string;
  /** The latest life of the back end. */
  readonly backend: ContainerdBackend;
  /** Opens another on the same data, leaving the old one as a crash would. */
  readonly crash: () => Promise<ContainerdBackend>;
  readonly collectGarbage: () => Promise<void>;
  readonly leftovers: () => Promise<string[]>;
  readonly close: () => Promise<void>;
}

export const testPlatform: Platform = { os: 'linux', architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' };

export async function openTestBackend(
  server: ContainerdServer,
  options: Partial<ContainerdBackendOptions> & { readonly layersAsTar?: boolean } = {},
): Promise<TestBackend> {
  const client = connect({ address: server.address, namespace: `test-${randomUUID()}` });
  const agentId = `agt_${randomUUID()}`;
  const stateDirectory = await mkdtemp(join(tmpdir(), 'loam-state-'));
  const warnings: string[] = [];
  const open = async (): Promise<ContainerdBackend> => {
    const own = { client, agentId, stateDirectory, runcRoot: server.runcRoot, containerdIsOurs: true };
    // The way that Windows takes, too, tried out here.
    const driver = options.layersAsTar ? { driver: { ...(await createRuncDriver(own)), writeLayer: undefined } } : {};
    return createContainerdBackend({
      ...own,
      ...driver,
      clock: systemClock,
      randomUUID,
      warn: (what, error) => warnings.push(`clean-up of ${what} failed: ${String(error)}`),
      ...options,
    });
  };
  const lives = [await open()];
  const latest = (): ContainerdBackend => lives.at(-1) as ContainerdBackend;
  return {
    client,
    agentId,
    stateDirectory,
    get backend() {
      return latest();
    },
    async crash() {
      lives.push(await open());
      return latest();
    },
    async collectGarbage() {
      const id = `collect-${randomUUID()}`;
      await client.leases.create({ id });
      await client.leases.delete(id, { sync: true });
    },
    async leftovers() {
      await latest().settled();
      const left = await findLeftovers(client, agentId, stateDirectory);
      return [...new Set([...left, ...(await latest().leftovers()), ...warnings])];
    },
    async close() {
      for (const life of lives) await life.close();
      client.close();
      await removeControlGroups(client.namespace);
      await rm(stateDirectory, { recursive: true, force: true });
    },
  };
}

/** Those of a namespace that nobody will use again: runc removes a container's own, not what lies above it. */
async function removeControlGroups(namespace: string): Promise<void> {
  const root = '/sys/fs/cgroup';
  for (const controller of ['', ...(await readdir(root))]) {
    await rmdir(join(root, controller, 'loam', namespace)).catch(() => undefined);
  }
}

/** Imports the busybox image and unpacks it. */
export async function busyboxBase({ backend }: TestBackend): Promise<SnapshotName> {
  const archive = busyboxImageArchive({ busyboxPath: '/bin/busybox', platform: testPlatform });
  await backend.fetcher.importArchive(archive, {});
  const image = await backend.fetcher.resolve(busyboxImageName, testPlatform);
  const lease = await backend.store.lease('test');
  try {
    return await backend.fetcher.fetch(image, { lease });
  } finally {
    await lease.release();
  }
}
