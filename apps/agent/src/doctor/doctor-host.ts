import type { ReconcileReport } from '@loam/backend';
import type { HcnApi, HcsOptions, RegistriesConfig } from '@loam/backend-containerd';
import type { Clock } from '@loam/base';
import type { Containerd } from '@loam/containerd';

import type { FarmConfig } from '../config.ts';

/** What a program of the host said. */
export interface CommandOutput {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Whether something of this agent may be at work, so that what is in use cannot be taken for what was left behind. */
export type AgentPresence =
  /** Nobody: the state directory is locked by the doctor itself. */
  | { readonly kind: 'nobody' }
  /** An agent in another process. */
  | { readonly kind: 'another'; readonly pid: string }
  /** The doctor runs inside the agent. */
  | { readonly kind: 'self'; readonly running: () => number };

/** The host as the checks see it: everything they look at comes through here or is a file at a path that they are given. */
export interface DoctorHost {
  readonly os: 'linux' | 'windows';
  /** As `os.release()` tells: `10.0.20348` on Windows (reference §7.3). */
  readonly osVersion: string;
  /** Node's name for it: `x64`, `arm64`. */
  readonly architecture: string;
  /** Absolute. */
  readonly stateDirectory: string;
  /** containerd's. */
  readonly namespace: string;
  readonly snapshotter: string;
  /** What the operator set about a Windows host. */
  readonly windows: HcsOptions;
  readonly agent: AgentPresence;
  readonly clock: Clock;
  /** What marks everything of this agent in containerd. Undefined when it has never run. */
  readonly identity: string | undefined;
  /** Connected, and it has answered. Throws `containerd.*` and `agent.containerd-*`. */
  containerd(): Promise<Containerd>;
  /** What of this agent is in containerd and mounted: `container …`, `task …`, `lease …`, a line each. Those who ask at the same time share one look. */
  leftovers(): Promise<readonly string[]>;
  /** The directory where the snapshotter keeps its data; looked up once. */
  snapshotDirectory(): Promise<string>;
  /** Throws `backend.hcn-unavailable`. */
  hcn(): Promise<HcnApi>;
  /** Runs a program of the host, with a time limit. Throws when it cannot be started or does not end. */
  run(program: string, args: readonly string[], environment?: Readonly<Record<string, string>>): Promise<CommandOutput>;
  /** Throws `agent.not-enrolled` and `agent.config-invalid`. */
  farm(): FarmConfig;
  /** Throws `agent.registries-invalid`. */
  registries(): RegistriesConfig;
  /** Removes everything unfinished of this agent in containerd and on the host; only while nobody else does. */
  reconcile(): Promise<ReconcileReport>;
}
