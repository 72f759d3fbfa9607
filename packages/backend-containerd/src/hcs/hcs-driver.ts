import { mkdir, rm } from 'node:fs/promises';
import { availableParallelism, release as osRelease } from 'node:os';
import { dirname, join } from 'node:path';

import { formatPlatform, type Limits, type RunRequest } from '@loam/backend';
import { LoamError, type Clock } from '@loam/base';
import type { Containerd, RuntimeOptions } from '@loam/containerd';

import { labels } from '../labels.ts';
import type { HostRun, PlatformDriver, RunPreparation } from '../platform-driver.ts';
import { cacheDirectoryArguments } from './access-control.ts';
import { ContainerTree } from './container-tree.ts';
import { describeExitCode, lostTask, saysOutOfMemory } from './exit-codes.ts';
import { explainHcsFailure, lacksWorkdir } from './hcs-failures.ts';
import { runHostCommand, type HostCommand } from './host-command.ts';
import { checkNamespace, scratchLabels, Turns, workingKey } from './keys-and-labels.ts';
import { windowsLayerItems } from './layer-items.ts';
import type { NetworkProvider } from '../networks.ts';
import { describeHost, isolationFor, rankWindowsVersion, type IsolationPolicy } from './os-match.ts';
import { PipeStdio } from './pipe-stdio.ts';
import { SecretDirectory } from './secret-directory.ts';
import { LiveToolContainer } from './tool-container.ts';
import { buildWindowsSpec, windowsUser, type Isolation } from './windows-spec.ts';

/** What an operator may set on a Windows host. */
export interface HcsOptions {
  /** `process` unless given. */
  readonly isolation?: IsolationPolicy;
  /** Of each step's scratch disk; 20 GB, sparse, unless given. */
  readonly scratchBytes?: number;
}

export interface HcsDriverOptions extends HcsOptions {
  readonly client: Containerd;
  readonly agentId: string;
  readonly stateDirectory: string;
  readonly clock: Clock;
  readonly randomUUID: () => string;
  /** Without it steps have no network. */
  readonly networks?: NetworkProvider;
  /** As in `10.0.20348`; the host's own unless given. */
  readonly hostVersion?: string;
  readonly hostProcessors?: number;
  /** How a run's pipes begin; named pipes unless given. */
  readonly pipePrefix?: string;
  readonly runCommand?: HostCommand;
}

const snapshotter = 'windows';
/** CtrlShutdown gives programs time to end; after the kill the shim shuts down for 30 s and terminates for 30 s (reference §7.2). */
const patience = { killGraceMs: 5_000, killTimeoutMs: 70_000 };
/** For how long the shim dials a broken pipe again; 0 would be for ever (reference §5.1). */
const ioRetryTimeoutSec = 30;

/** Windows: runhcs, the `windows` snapshotter, named pipes (reference §3–§7). */
export async function createHcsDriver(options: HcsDriverOptions): Promise<PlatformDriver> {
  const { client, agentId, stateDirectory, clock, randomUUID, networks, isolation: policy = 'process' } = options;
  const { hostVersion = osRelease(), hostProcessors = availableParallelism() } = options;
  const { pipePrefix = '\\\\.\\pipe\\', runCommand = runHostCommand } = options;
  checkNamespace(client.namespace);
  const { version } = await client.version();
  const secrets = new SecretDirectory(join(stateDirectory, 'secrets'), runCommand);
  const spools = join(stateDirectory, 'trees');
  const turns = new Turns();
  let volume: Promise<string> | undefined;

  async function prepareRun({ id, request, io }: RunPreparation): Promise<HostRun> {
    const isolation = isolationOf(request);
    const { username } = windowsUser(request.user);
    const undo: (() => Promise<void>)[] = [];
    const release = async (): Promise<void> => {
      await Promise.all(undo.splice(0).map((one) => one()));
    };
    try {
      if (request.network !== 'none' && networks === undefined) {
        throw LoamError.of('backend.network-unsupported', { network: request.network });
      }
      const network = request.network === 'none' ? undefined : await networks?.connect(id);
      if (network) undo.push(() => network.release());
      undo.push(() => secrets.remove(id));
      const secretMounts = await secrets.write(id, request.secrets, username);
      const spec = buildWindowsSpec({
        argv: request.argv,
        cwd: request.workdir,
        env: request.env,
        user: request.user,
        hostname: request.hostname,
        isolation,
        networkNamespace: network?.namespace,
        limits: request.limits,
        mounts: [...request.mounts, ...secretMounts],
        hostProcessors,
      });
      const stdio = await PipeStdio.listen({
        prefix: `${pipePrefix}${id}`,
        withStdin: io.stdin !== undefined,
        onOutput: io.onOutput,
      });
      undo.push(() => stdio.close());
      return {
        spec,
        stdio,
        runtimeOptions: runtimeOptions(isolation),
        outOfMemory: (exitStatus) => Promise.resolve(hasLimit(request.limits) && saysOutOfMemory(exitStatus)),
        // HCS ends everything in a container before the task's exit is told (reference §4.7).
        processesLeft: () => Promise.resolve(false),
        release,
      };
    } catch (error) {
      await release();
      throw error;
    }
  }

  function isolationOf({ platform }: RunRequest): Isolation {
    const isolation = isolationFor(platform.osVersion, hostVersion, policy);
    if (isolation === undefined) throw LoamError.of('backend.os-mismatch', {});
    return isolation;
  }

  /** The snapshotter does not tell its directory, but the mount of any snapshot lies in it (reference §1.4). */
  async function findVolume(): Promise<string> {
    const snapshots = client.snapshots(snapshotter);
    const key = workingKey('layer', `probe-${randomUUID()}`);
    const [mount] = await snapshots.prepare({ key, labels: { [labels.agent]: agentId } });
    await snapshots.remove(key);
    if (mount === undefined) throw new Error(`${snapshotter} does not tell where it keeps its data`);
    return dirname(mount.source);
  }

  return {
    snapshotter,
    runtime: { name: 'io.containerd.runhcs.v1', options: runtimeOptions('process') },
    commitNeedsDeletedTask: true,
    patience,
    rankOsVersion: rankWindowsVersion(hostVersion, policy),
    describePlatform: (platform) => `${formatPlatform(platform)} on ${describeHost(hostVersion, policy)}`,
    workingKey,
    snapshotLabels: (purpose) => (purpose === 'run' ? scratchLabels(version, options.scratchBytes) : {}),
    layerItems: windowsLayerItems,
    writeLayer: undefined,
    openTree: (key, mounts) =>
      Promise.resolve(
        new ContainerTree(
          new LiveToolContainer({
            client,
            clock,
            randomUUID,
            agentId,
            runtime: {
              name: 'io.containerd.runhcs.v1',
              options: runtimeOptions(policy === 'hyperv' ? 'hyperv' : 'process'),
            },
            snapshotter,
            key,
            mounts,
            isolation: policy === 'hyperv' ? 'hyperv' : 'process',
            hostProcessors,
            pipePrefix: (id) => `${pipePrefix}${id}`,
            spoolDirectory: spools,
          }),
        ),
      ),
    prepareRun,
    explainStartFailure: explainHcsFailure,
    runToMend: (request, error) => (lacksWorkdir(error) ? makeWorkdir(request) : undefined),
    explainExit: (exitStatus) => lostTask(exitStatus) ?? describeExitCode(exitStatus),
    whileCommitting: (commit) => turns.take(commit),
    async makeCacheDirectory(directory, _owner, mode) {
      await mkdir(directory, { mode });
      await runCommand('icacls', cacheDirectoryArguments(directory));
    },
    snapshotVolume() {
      volume ??= findVolume();
      return volume;
    },
    async reconcile() {
      await secrets.removeAll();
      await rm(spools, { recursive: true, force: true });
      return { mounts: 0, networks: (await networks?.reconcile()) ?? 0 };
    },
    async leftovers() {
      return [
        ...(await secrets.list()).map((run) => `secrets of ${run}`),
        ...((await networks?.list()) ?? []).map((run) => `network of ${run}`),
      ];
    },
    async close() {
      await secrets.removeAll();
    },
  };
}

/** Options that say process isolation beside a specification that says Hyper-V are refused (reference §4.3). */
function runtimeOptions(isolation: Isolation): RuntimeOptions {
  const sandboxIsolation = isolation === 'hyperv' ? 'hypervisor' : 'process';
  return { kind: 'runhcs', logLevel: 'info', ioRetryTimeoutSec, scrubLogs: true, sandboxIsolation };
}

function hasLimit({ memoryBytes }: Limits): boolean {
  return memoryBytes !== undefined;
}

/** HCS makes no working directory: `cmd` does, with all above it, before the step is started again (reference §4.3). */
function makeWorkdir(request: RunRequest): RunRequest {
  return {
    ...request,
    argv: ['cmd', '/D', '/S', '/C', `mkdir "${request.workdir}"`],
    workdir: 'C:\\',
    env: [],
    user: { kind: 'name', name: 'ContainerAdministrator' },
    mounts: [],
    secrets: [],
    network: 'none',
  };
}
