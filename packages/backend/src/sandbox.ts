import type { Platform, User } from './platform.ts';
import type { WorkingSnapshot } from './store.ts';

export interface Mount {
  /** Host directory. */
  readonly source: string;
  /** Absolute path in the container; made when it does not exist. */
  readonly target: string;
  readonly readonly: boolean;
}

/** A secret becomes a read-only file that only the step's user can read. Its value is in no log, label, argument or environment. */
export interface SecretFile {
  readonly target: string;
  readonly value: Uint8Array;
}

/** `none`: no interface but loopback. `host`: the host's network (on Windows a NAT endpoint). `nat`: a private address behind NAT. */
export type Network = 'none' | 'host' | 'nat';

/** What holds a step within bounds. None of it is part of a step's id. */
export interface Limits {
  /** Processor time per wall-clock time: 1.5 is one and a half processors. */
  readonly cpus?: number;
  readonly memoryBytes?: number;
  /** How large the disk is that a step writes to; only on Windows, and not below its own size of 20 GB. */
  readonly scratchBytes?: number;
  /** How a step's container is kept apart from its host; only on Windows, and only as far as the agent allows it. */
  readonly isolation?: 'process' | 'hyperv';
}

export interface RunRequest {
  /** Names the run in listings. */
  readonly label: string;
  readonly platform: Platform;
  readonly working: WorkingSnapshot;
  readonly argv: readonly string[];
  /** Absolute; made when missing. */
  readonly workdir: string;
  /** In order; later entries of one name win. */
  readonly env: readonly (readonly [name: string, value: string])[];
  readonly user: User;
  readonly mounts: readonly Mount[];
  readonly secrets: readonly SecretFile[];
  readonly network: Network;
  readonly hostname: string;
  readonly limits: Limits;
  /** Wall-clock limit. */
  readonly timeoutMs?: number;
}

export type OutputStream = 'stdout' | 'stderr';

export interface RunIo {
  /** Called in order of arrival, both streams merged. Must not block; may keep the bytes. */
  readonly onOutput: (stream: OutputStream, bytes: Uint8Array) => void;
  /** Fed to standard input, then end of file. Without it standard input is empty. */
  readonly stdin?: AsyncIterable<Uint8Array>;
  /** How far the run has come, for who measures it; from back ends that know. */
  readonly onPhase?: (reached: 'created' | 'started' | 'exited') => void;
}

/** How a process ended. All its output has been delivered by then, and nothing of it runs any more. */
export type RunExit =
  /** `meaning`: the code as its reader needs it, where a number says too little. */
  | { readonly kind: 'exited'; readonly code: number; readonly meaning?: string }
  /** Only where the platform can tell it from a program that exits with such a code; runc's shim cannot. */
  | { readonly kind: 'signalled'; readonly signal: number }
  /** The kernel killed it at its memory limit. */
  | { readonly kind: 'out-of-memory' }
  | { readonly kind: 'timed-out' };

/**
 * Runs one process at a time on a working snapshot.
 *
 * `run` resolves when the process has ended, its output is delivered, and nothing of it runs any more; its secret files are
 * gone. Records of it (task, container, their mounts) may still be being deleted: what needs that done waits for it by
 * itself, `Store.commit` on Windows, `Store.abandon`, `Store.close` and another run on the same working snapshot among it. It throws `backend.*` when the process could not be started (`backend.command-not-found`,
 * `backend.unknown-user`, `backend.run-failed`), and `general.cancelled` when `signal` aborted: then too only after proof
 * that nothing runs, or `backend.will-not-die`, after which the agent must take no more work.
 * Concurrency: any number of runs at once, each on its own working snapshot.
 */
export interface Sandbox {
  run(request: RunRequest, io: RunIo, signal: AbortSignal): Promise<RunExit>;
}
