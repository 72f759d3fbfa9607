import { mkdir, readdir } from 'node:fs/promises';
import { availableParallelism, release as osRelease } from 'node:os';
import { join } from 'node:path';

import { formatPlatform, type Limits, type RunIo, type RunRequest } from '@loam/backend';
import { LoamError, type Clock } from '@loam/base';
import type { Containerd, RuntimeOptions } from '@loam/containerd';
import { removeTree } from '@loam/files';

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
import type { WindowsNetworkSettings } from './windows-networks.ts';
import { snapshotDirectory } from '../store/snapshot-directory.ts';
import { buildWindowsSpec, windowsUser, type Isolation } from './windows-spec.ts';

/** What an operator may set on a Windows host. */
export interface HcsOptions {
  /** What the host may use: `process` unless given. With both allowed a build may choose, and otherwise the image decides. */
  readonly isolation?: IsolationPolicy;
  /** Of each step whose build sets none. Without a size a scratch disk has 20 GB, sparse (reference §3.2). */
  readonly limits?: Limits;
  readonly network?: WindowsNetworkSettings;
  /** Below it a directory of this agent has the values of secrets while a step runs. On a local NTFS volume; the state directory unless given. */
  readonly secretsDirectory?: string;
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
const runtimeName = 'io.containerd.runhcs.v1';
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
  const { limits: defaultLimits = {}, secretsDirectory } = options;
  // Of a name that nobody else has: it is removed with all that is in it.
  const ownSecrets = secretsDirectory === undefined ? undefined : join(secretsDirectory, `loam-secrets-${agentId}`);
  const secrets = new SecretDirectory(ownSecrets ?? join(stateDirectory, 'secrets'), runCommand);
  const host = describeHost(hostVersion, policy);
  const spools = join(stateDirectory, 'trees');
  const turns = new Turns();
  /** Steps that have heard which variables are not set: one that is started again hears it once. */
  const told = new WeakSet<RunIo>();
  let volume: Promise<string> | undefined;

  async function prepareRun({ id, request, io }: RunPreparation): Promise<HostRun> {
    const isolation = isolationOf(request);
    const { username } = windowsUser(request.user);
    const limits = { ...defaultLimits, ...request.limits };
    if (!told.has(io)) tellUnset(request, io);
    told.add(io);
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
        limits,
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
        outOfMemory: (exitStatus) => Promise.resolve(hasLimit(limits) && saysOutOfMemory(exitStatus)),
        // HCS ends everything in a container before the task's exit is told (reference §4.7).
        processesLeft: () => Promise.resolve(false),
        release,
      };
    } catch (error) {
      await release();
      throw error;
    }
  }

  function isolationOf({ platform, limits }: RunRequest): Isolation {
    const wished = limits.isolation;
    if (wished !== undefined && policy !== 'process-or-hyperv' && policy !== wished) {
      throw LoamError.of('backend.isolation-refused', { isolation: wished, policy });
    }
    const isolation = isolationFor(platform.osVersion, hostVersion, wished ?? policy);
    if (isolation !== undefined) return isolation;
    const image = `Windows build ${platform.osVersion ?? 'unknown'}`;
    throw LoamError.of('backend.os-mismatch', { image, host: wished ? describeHost(hostVersion, wished) : host });
  }

  const snapshotVolume = (): Promise<string> => {
    volume ??= snapshotDirectory(client, snapshotter, clock);
    volume.catch(() => (volume = undefined));
    return volume;
  };

  // A container is a compute system of the same id; ending it there goes past a shim that hangs (reference §7.2).
  const lastResort = (id: string): Promise<void> => runCommand('hcsdiag', ['kill', id]);

  return {
    snapshotter,
    runtime: { name: runtimeName, options: runtimeOptions('process') },
    commitNeedsDeletedTask: true,
    patience,
    rankOsVersion: rankWindowsVersion(hostVersion, policy),
    describePlatform: (platform) => `${formatPlatform(platform)} on ${host}`,
    workingKey,
    snapshotLabels: (purpose, scratchBytes = defaultLimits.scratchBytes) =>
      purpose === 'run' ? scratchLabels(version, scratchBytes) : {},
    layerItems: windowsLayerItems,
    writeLayer: undefined,
    openTree: (key, mounts, osVersion) =>
      Promise.resolve(
        new ContainerTree(
          new LiveToolContainer({
            client,
            clock,
            randomUUID,
            agentId,
            snapshotter,
            key,
            mounts,
            hostProcessors,
            isolation: async () =>
              policy === 'process-or-hyperv'
                ? (isolationFor(await osVersion(), hostVersion, policy) ?? 'process')
                : policy,
            runtime: (isolation) => ({ name: runtimeName, options: runtimeOptions(isolation) }),
            pipePrefix: (id) => `${pipePrefix}${id}`,
            spoolDirectory: spools,
            explain: (error, command) => explainHcsFailure(error, command, { host }),
            killTimeoutMs: patience.killTimeoutMs,
            lastResort,
          }),
        ),
      ),
    prepareRun,
    explainStartFailure: (error, command, user) => explainHcsFailure(error, command, { user, host }),
    runToMend: (request, error) => (lacksWorkdir(error) ? makeWorkdir(request) : undefined),
    explainExit: (exitStatus) => lostTask(exitStatus) ?? describeExitCode(exitStatus),
    lastResort,
    drainOutput: undefined,
    whileCommitting: (commit) => turns.take(commit),
    async makeCacheDirectory(directory, _owner, mode) {
      await mkdir(directory, { mode });
      await runCommand('icacls', cacheDirectoryArguments(directory));
    },
    snapshotVolume,
    async remains() {
      const directory = await snapshotVolume();
      const names = await readdir(directory).catch(() => []);
      return { directory, names: names.filter((name) => name.startsWith('rm-')) };
    },
    async reconcile() {
      await secrets.removeAll();
      await removeTree(spools);
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

/** HCS takes an empty value for a variable that is not set (reference §4.3). A step whose tools tell the two apart must hear of it. */
function tellUnset({ env }: RunRequest, io: RunIo): void {
  const last = new Map(env.map(([name, value]) => [name.toUpperCase(), [name, value] as const]));
  const names = [...last.values()].filter(([, value]) => value === '').map(([name]) => name);
  if (names.length === 0) return;
  const text = `loam: Windows has no empty variables; not set for this step: ${names.join(', ')}\r\n`;
  io.onOutput('stderr', new TextEncoder().encode(text));
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
