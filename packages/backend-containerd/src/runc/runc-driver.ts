import { randomUUID } from 'node:crypto';
import { chmod, chown, mkdir, readdir, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { LoamError } from '@loam/base';
import { formatPlatform, type TreeEntry, type TreeReader, type User } from '@loam/backend';
import type { Containerd, Mount } from '@loam/containerd';

import { ignoreOsVersion } from '../fetcher/platform-match.ts';
import type { HostRun, PlatformDriver, RunPreparation } from '../platform-driver.ts';
import type { TarItem } from '../tar/tar-writer.ts';
import { tarHeaderOf } from '../tar/tar-writer.ts';
import { explainStartFailure } from '../sandbox/start-failure.ts';
import { snapshotDirectory } from '../store/snapshot-directory.ts';
import { detectHostFeatures, hasProcesses, wasOutOfMemory } from './host-features.ts';
import { FifoPool } from './fifo-pool.ts';
import { FifoStdio } from './fifo-stdio.ts';
import { allowMountAgain, mountPoints, mountSnapshot, unmount, unsynced } from './host-mount.ts';
import { HostTree } from './host-tree.ts';
import { LayerWriter } from './layer-writer.ts';
import type { RunNetwork } from '../networks.ts';
import { NameFiles } from './name-files.ts';
import { natNetwork } from './nat-network.ts';
import { drainOutput } from './output-drain.ts';
import { resolveUser, type ResolvedUser, type UserFiles } from './passwd.ts';
import { buildRuncSpec } from './runc-spec.ts';
import { SecretFiles } from './secret-files.ts';
import { createShimStarter } from './shim-starter.ts';
import { readUserFiles } from './user-lookup.ts';

export interface RuncDriverOptions {
  readonly client: Containerd;
  readonly agentId: string;
  readonly stateDirectory: string;
  /** Of containerd; `overlayfs` unless given. */
  readonly snapshotter?: string;
  /** runc's own state directory, unless it is the default. */
  readonly runcRoot?: string;
  /** containerd runs programs that lie in `stateDirectory`. */
  readonly containerdIsOurs?: boolean;
}

/** Short: what a cancelled step leaves is thrown away, and a shell that is the first process does not hear SIGTERM at all. */
const killGraceMs = 250;
const killTimeoutMs = 15_000;

/** Linux: runc, overlayfs, FIFOs. */
export async function createRuncDriver(options: RuncDriverOptions): Promise<PlatformDriver> {
  const { client, stateDirectory, snapshotter = 'overlayfs' } = options;
  const trees = join(stateDirectory, 'trees');
  const fifoDirectory = join(stateDirectory, 'fifos');
  const fifos = new FifoPool(fifoDirectory);
  const secrets = new SecretFiles(`${options.agentId} ${stateDirectory}`);
  const names = new NameFiles(join(stateDirectory, 'names'));
  const host = await detectHostFeatures();
  const starter =
    options.containerdIsOurs === true ? await createShimStarter(join(stateDirectory, 'shims')) : undefined;
  const nat = natNetwork(join(stateDirectory, 'networks'), options.agentId);
  let volume: Promise<string> | undefined;

  /** Mounts a snapshot for as long as the returned function has not been called. */
  async function mountTree(
    mounts: readonly Mount[],
    readonly: boolean,
  ): Promise<{ directory: string; release: () => Promise<void> }> {
    const directory = join(trees, randomUUID());
    await mkdir(directory, { recursive: true, mode: 0o700 });
    try {
      await mountSnapshot(mounts, directory, readonly);
    } catch (error) {
      await rmdir(directory);
      throw error;
    }
    const release = async (): Promise<void> => {
      await unmount(directory);
      await rmdir(directory);
    };
    return { directory, release };
  }

  async function userFiles(mounts: readonly Mount[]): Promise<UserFiles> {
    const direct = await readUserFiles(mounts);
    if (direct !== undefined) return direct;
    const tree = await mountTree(mounts, true);
    try {
      return await new HostTree(tree.directory).userFiles();
    } finally {
      await tree.release();
    }
  }

  /** Root needs no look into the image: it is root in every one. */
  async function lookUp(user: User, mounts: readonly Mount[], homeIsSet: boolean): Promise<ResolvedUser> {
    const plain = user.kind === 'id' && (user.uid === 0 || homeIsSet);
    return resolveUser(user, plain ? { passwd: '', group: '' } : await userFiles(mounts));
  }

  async function prepareRun({ id, group, predecessor, request, mounts, io }: RunPreparation): Promise<HostRun> {
    const { network, limits } = request;
    if (limits.isolation === 'hyperv') {
      throw LoamError.of('backend.isolation-refused', { isolation: limits.isolation, policy: 'process' });
    }
    const homeIsSet = request.env.some(([name]) => name === 'HOME');
    const [user, nameBinds, taken] = await Promise.all([
      lookUp(request.user, mounts, homeIsSet),
      names.binds(request.hostname, network),
      fifos.take(),
      predecessor === undefined ? undefined : starter?.succeed(id, predecessor),
    ]);
    const cgroupsPath = `/loam/${client.namespace}/${id}`;
    let own: RunNetwork | undefined;
    try {
      if (network === 'nat') own = await nat.connect(id);
      const secretBinds = await secrets.write(id, request.secrets, user);
      const spec = buildRuncSpec({
        argv: request.argv,
        cwd: request.workdir,
        env: request.env,
        user,
        home: user.home ?? (user.uid === 0 ? '/root' : '/'),
        hostname: request.hostname,
        network,
        ...(own === undefined ? {} : { networkNamespace: own.namespace }),
        limits: request.limits,
        binds: [...nameBinds, ...request.mounts, ...secretBinds],
        cgroupsPath,
        group,
        host,
      });
      const stdio = new FifoStdio(fifos, taken, io.stdin !== undefined, io.onOutput);
      return {
        spec,
        stdio,
        outOfMemory: () => wasOutOfMemory(cgroupsPath, host),
        processesLeft: () => hasProcesses(cgroupsPath, host),
        release: async () => {
          await Promise.all([
            stdio.close(),
            request.secrets.length > 0 ? secrets.remove(id) : undefined,
            own?.release(),
            starter?.forget(id),
          ]);
        },
      };
    } catch (error) {
      await Promise.all([fifos.discard(taken), secrets.remove(id), own?.release(), starter?.forget(id)]);
      throw error;
    }
  }

  async function ourMounts(): Promise<string[]> {
    return (await mountPoints()).filter((point) => dirname(point) === trees);
  }

  return {
    snapshotter,
    runtime: {
      name: starter?.path ?? 'io.containerd.runc.v2',
      options: { kind: 'runc', ...(options.runcRoot === undefined ? {} : { root: options.runcRoot }) },
    },
    commitNeedsDeletedTask: false,
    rankOsVersion: ignoreOsVersion,
    describePlatform: formatPlatform,
    patience: { killGraceMs, killTimeoutMs },
    workingKey: (purpose, unique) => (purpose === 'layer' ? `loam-extract-${unique}` : `loam-run-${unique}`),
    snapshotLabels: () => ({}),
    layerItems,
    async writeLayer(mounts, layer) {
      const tree = await mountTree(unsynced(mounts), false);
      try {
        await new LayerWriter(tree.directory, layer).write();
      } finally {
        await tree.release();
        await allowMountAgain(mounts);
      }
    },
    async openTree(_key, mounts): Promise<TreeReader> {
      const { directory, release } = await mountTree(mounts, true);
      const tree = new HostTree(directory);
      return {
        resolve: (path) => tree.resolve(path),
        walk: (path) => tree.walk(path),
        owner: (user) => tree.owner(user),
        close: release,
      };
    },
    prepareRun,
    explainStartFailure,
    runToMend: () => undefined,
    explainExit: () => undefined,
    lastResort: undefined,
    remains: undefined,
    whileCommitting: (commit) => commit(),
    async makeCacheDirectory(directory, owner, mode) {
      await mkdir(directory);
      await chown(directory, owner.uid, owner.gid);
      await chmod(directory, mode);
    },
    snapshotVolume() {
      volume ??= snapshotDirectory(client, snapshotter);
      volume.catch(() => (volume = undefined));
      return volume;
    },
    drainOutput: () => drainOutput(fifoDirectory),
    async reconcile() {
      const mounted = await ourMounts();
      for (const point of mounted) await unmount(point);
      // Only empty directories go: a mount that would not leave must never be deleted through.
      for (const name of await readdir(trees).catch(() => [])) await rmdir(join(trees, name));
      await rm(fifoDirectory, { recursive: true, force: true });
      await secrets.removeAll();
      return { mounts: mounted.length, networks: await nat.reconcile() };
    },
    async leftovers() {
      return [
        ...(await ourMounts()).map((point) => `mount ${point}`),
        ...(await secrets.list()).map((run) => `secrets of ${run}`),
        ...(await nat.list()).map((run) => `network of ${run}`),
      ];
    },
    async close() {
      await fifos.close();
      await secrets.removeAll();
    },
  };
}

/** An ordinary OCI layer. A name that would read as a deletion there is refused. Source: OCI image-spec layer.md, "Whiteouts". */
async function* layerItems(entries: AsyncIterable<TreeEntry>): AsyncIterable<TarItem> {
  for await (const entry of entries) {
    const name = entry.path.slice(entry.path.lastIndexOf('/') + 1);
    if (name.startsWith('.wh.')) {
      throw LoamError.of('backend.name-unsupported', { name, reason: 'layers use the prefix .wh. for deletions' });
    }
    const header = tarHeaderOf(entry);
    yield entry.kind === 'file' ? { header, content: entry.open() } : { header };
  }
}
