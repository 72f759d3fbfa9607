import { randomUUID } from 'node:crypto';
import { join } from 'node:path';

import type { Platform, ReconcileReport, Sandbox } from '@loam/backend';
import {
  createContainerdBackend,
  lockStateDirectory,
  type ContainerdBackend,
  type HcsOptions,
} from '@loam/backend-containerd';
import { isLoamError, LoamError, systemClock } from '@loam/base';
import { connect, type Containerd } from '@loam/containerd';
import { createEngine, type Engine } from '@loam/engine';

import { makeStateDirectory, readIdentity } from './config.ts';
import { startPrivateContainerd } from './containerd-process.ts';
import { ContainerdSupervisor, type SupervisorOptions } from './containerd-supervisor.ts';
import { patientEngine, type PatientEngineOptions } from './patient-engine.ts';
import { readRegistries } from './registries.ts';
import { fileShellMemory } from './shell-memory.ts';
import { fileLogSpool, type FileLogSpool } from './spool/file-log-spool.ts';

export interface HostOptions {
  /** Absolute. */
  readonly stateDirectory: string;
  /** Of a containerd that somebody else runs; without it a private one is used, on Windows the service's. */
  readonly containerd: string | undefined;
  readonly namespace: string;
  /** Leave the private containerd running when this process ends. */
  readonly keepContainerd?: boolean;
  /** What the operator set; only read on Windows. */
  readonly windows?: HcsOptions;
  /** A process of a step could not be ended. */
  readonly onWillNotDie?: (error: LoamError) => void;
  readonly warn?: (what: string, error: unknown) => void;
  /** The private containerd was gone. */
  readonly onContainerdRestart?: SupervisorOptions['onRestart'];
  /** containerd went away under a build, which is built once more. */
  readonly onLostRound?: PatientEngineOptions['onLost'];
}

/** The pipe of the service containerd, which agents on Windows share (reference §1.1). */
export const windowsContainerd = '\\\\.\\pipe\\containerd-containerd';

/** What builds on this machine: an engine on containerd, with the exclusive right to its state directory. */
export interface Host {
  readonly client: Containerd;
  readonly backend: ContainerdBackend;
  readonly engine: Engine;
  readonly logs: FileLogSpool;
  readonly platform: Platform;
  /** Marks what is ours in containerd. */
  readonly identity: string;
  readonly stateDirectory: string;
  /** What of an earlier life was removed when it was opened. */
  readonly reconciled: ReconcileReport;
  /** Builds must have ended. */
  close(): Promise<void>;
}

/**
 * Opens the host: takes the lock, finds or starts containerd, removes what a killed process left.
 * Throws `agent.needs-root`, `backend.state-locked`, `agent.containerd-*` and `containerd.*`.
 */
export async function openHost(options: HostOptions): Promise<Host> {
  const { stateDirectory, namespace } = options;
  if (process.getuid?.() !== 0 && process.platform !== 'win32') throw LoamError.of('agent.needs-root', {});
  makeStateDirectory(stateDirectory);
  /** What has been opened, in order: closed in reverse. */
  const open: (() => Promise<void> | void)[] = [];
  const close = async (): Promise<void> => {
    for (let undo = open.pop(); undo; undo = open.pop()) await undo();
  };
  try {
    const lock = await lockStateDirectory(stateDirectory);
    open.push(() => lock.release());
    const start = () => startPrivateContainerd(join(stateDirectory, 'containerd'), systemClock);
    const shared = options.containerd ?? (process.platform === 'win32' ? windowsContainerd : undefined);
    const daemon = shared === undefined ? await start() : undefined;
    const supervisor =
      daemon &&
      new ContainerdSupervisor(daemon, {
        start,
        clock: systemClock,
        onRestart: options.onContainerdRestart ?? (() => undefined),
      });
    // Nobody else uses it, since the lock is ours: one that a killed process left is ended, too.
    if (supervisor) open.push(() => (options.keepContainerd ? supervisor.release() : supervisor.stop()));
    const client = connect({ address: daemon?.address ?? shared ?? '', namespace });
    open.push(() => client.close());
    const identity = readIdentity(stateDirectory);
    const backend = await createContainerdBackend({
      client,
      agentId: identity,
      stateDirectory: join(stateDirectory, 'backend'),
      clock: systemClock,
      randomUUID,
      registries: readRegistries(stateDirectory),
      ...(options.windows ? { windows: options.windows } : {}),
      ...(daemon ? { runcRoot: daemon.runcRoot, containerdIsOurs: true } : {}),
      ...(options.warn ? { warn: options.warn } : {}),
    });
    open.push(async () => {
      await backend.settled();
      await backend.close();
    });
    const reconciled = await backend.store.reconcile();
    const platform = hostPlatform();
    const logs = fileLogSpool(join(stateDirectory, 'logs'));
    const engine = createEngine({
      store: backend.store,
      sandbox: watched(backend.sandbox, options.onWillNotDie ?? (() => undefined)),
      fetcher: backend.fetcher,
      platform,
      clock: systemClock,
      logs,
      shells: fileShellMemory(join(stateDirectory, 'shells.json')),
    });
    open.push(() => engine.idle());
    return {
      client,
      backend,
      engine: patientEngine(engine, {
        ready: async () => supervisor?.ready(),
        clock: systemClock,
        onLost: options.onLostRound ?? (() => undefined),
      }),
      logs,
      platform,
      identity,
      reconciled,
      stateDirectory,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function hostPlatform(): Platform {
  const architectures: Record<string, string> = { x64: 'amd64', arm64: 'arm64' };
  return {
    os: process.platform === 'win32' ? 'windows' : 'linux',
    architecture: architectures[process.arch] ?? process.arch,
  };
}

/** A build that was cancelled ends as cancelled even when its process would not, so that is noticed here. */
function watched(sandbox: Sandbox, onWillNotDie: (error: LoamError) => void): Sandbox {
  return {
    async run(request, io, signal) {
      try {
        return await sandbox.run(request, io, signal);
      } catch (error) {
        if (isLoamError(error, 'backend.will-not-die')) onWillNotDie(error);
        throw error;
      }
    },
  };
}
