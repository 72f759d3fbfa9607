import type { Owner, Platform, Purpose, RunIo, RunRequest, TreeEntry, TreeReader } from '@loam/backend';
import type { LoamError } from '@loam/base';
import type { Mount, RuntimeOptions } from '@loam/containerd';

import type { OsVersionRank } from './fetcher/platform-match.ts';
import type { TarItem } from './tar/tar-writer.ts';

/**
 * What differs between the platforms that containerd runs on. Everything else in this room is shared: `runc/` implements
 * this for Linux, `hcs/` for Windows.
 */
export interface PlatformDriver {
  /** `overlayfs`, `windows`. */
  readonly snapshotter: string;
  readonly runtime: { readonly name: string; readonly options?: RuntimeOptions };
  /** Whether `commit` must wait until the task that ran on the snapshot has been deleted (Windows: its disk is attached until then). */
  readonly commitNeedsDeletedTask: boolean;
  readonly rankOsVersion: OsVersionRank;
  /** A platform as a refusal names it, with what would fit the host where there is more to say. */
  describePlatform(platform: Platform): string;
  /** How long the runtime's own way from a signal to the end of a container takes. */
  readonly patience: { readonly killGraceMs: number; readonly killTimeoutMs: number };

  /** The key of a working snapshot. Windows reads the purpose from it (reference §3.2). */
  workingKey(purpose: Purpose, unique: string): string;
  /** `scratchBytes` is how much a step may write, where the platform can limit that. */
  snapshotLabels(purpose: Purpose, scratchBytes?: number): Readonly<Record<string, string>>;
  /** A layer's entries as the platform's differ wants them in a tar. */
  layerItems(entries: AsyncIterable<TreeEntry>): AsyncIterable<TarItem>;
  /** Puts a layer onto a working snapshot without a tar, where the host can; otherwise undefined. */
  readonly writeLayer: ((mounts: readonly Mount[], layer: LayerWrite) => Promise<void>) | undefined;
  /**
   * Reads a view. `close` of the reader undoes what this did, not the view. `osVersion` looks up that of its base image;
   * it gives undefined where that is not known.
   */
  openTree(key: string, mounts: readonly Mount[], osVersion: () => Promise<string | undefined>): Promise<TreeReader>;

  /** Makes everything on the host that one run needs. What it made is undone by the run's `release`, or here when it throws. */
  prepareRun(run: RunPreparation): Promise<HostRun>;
  /** What a failed start of a command means to the user. `user` is the name of whom it was to run as. */
  explainStartFailure(error: unknown, command: string, user: string): unknown;
  /** A run that may make another one start that failed with `error`; undefined when there is none. */
  runToMend(request: RunRequest, error: unknown): RunRequest | undefined;
  /** What an exit status says beyond its number: a failure that is not the step's, or its meaning. */
  explainExit(exitStatus: number): LoamError | string | undefined;
  /** Ends a container that the runtime could not end, by other means of the host; undefined where there are none. */
  readonly lastResort: ((id: string) => Promise<void>) | undefined;
  /** Commits a snapshot in its turn, where commits hold each other up. */
  whileCommitting<T>(commit: () => Promise<T>): Promise<T>;
  /** A directory for a cache, with its owner. */
  makeCacheDirectory(directory: string, owner: Owner, mode: number): Promise<void>;
  /** A directory on the volume where snapshots lie. */
  snapshotVolume(): Promise<string>;

  /** What is left of removed snapshots where those lie, for good; undefined where nothing can be. */
  readonly remains: (() => Promise<{ readonly directory: string; readonly names: readonly string[] }>) | undefined;

  /**
   * Takes the output that tasks of an earlier life still have, where they cannot be deleted at once before it has been read.
   * The returned function ends that. Undefined where nothing waits for it.
   */
  readonly drainOutput: (() => Promise<() => void>) | undefined;
  /** Removes what an earlier life left on the host: mounts, networks, stdio endpoints, secrets. */
  reconcile(): Promise<{ readonly mounts: number; readonly networks: number }>;
  /** What of ours is on the host now: mounts, networks, secrets. For leak checks. */
  leftovers(): Promise<string[]>;
  close(): Promise<void>;
}

export interface LayerWrite {
  readonly entries: AsyncIterable<TreeEntry>;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((bytes: number) => void) | undefined;
}

export interface RunPreparation {
  readonly id: string;
  /** Runs of one group may share a shim, where the platform can: they come one after the other. */
  readonly group: string;
  /** The run of the group that ended before, whose task is there until this one's is. */
  readonly predecessor: string | undefined;
  readonly request: RunRequest;
  readonly mounts: readonly Mount[];
  readonly io: RunIo;
}

/** One run's side on the host. */
export interface HostRun {
  /** The OCI runtime specification. */
  readonly spec: object;
  /** Instead of the driver's own, where one run needs other options. */
  readonly runtimeOptions?: RuntimeOptions;
  readonly stdio: Stdio;
  /** Whether the kernel killed a process of it at the memory limit. Asked after the exit, before the task is deleted. */
  outOfMemory(exitStatus: number): Promise<boolean>;
  /** Whether processes of it are left. Asked after the exit. */
  processesLeft(): Promise<boolean>;
  /** Undoes everything; idempotent. */
  release(): Promise<void>;
}

/** The standard streams of one process. Output is delivered from the beginning, as it comes. */
export interface Stdio {
  readonly stdin: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** Whether the process sees the end of its input only after CloseIO (reference §0.7); elsewhere `endInput` is enough. */
  readonly inputEndsByCloseIO: boolean;
  /** Resolves when both outputs have ended. Asked for after the exit. */
  readonly ended: Promise<void>;
  /** Feeds standard input; false when nobody reads it any more. */
  write(bytes: Uint8Array): Promise<boolean>;
  /** Resolves when what was written has been handed over. */
  endInput(): Promise<void>;
  close(): Promise<void>;
}
