import type { Fetcher, Limits, Platform, Sandbox, SnapshotName, Store } from '@loam/backend';
import type { Clock, LoamError, StepId } from '@loam/base';
import type { ContextSource } from '@loam/context';
import type { Spec } from '@loam/spec';

import type { BuildEvent, StepKind, StepPlace } from './events.ts';
import type { LogChunk, LogSpool } from './log-spool.ts';
import type { StepRecord } from './step-record.ts';
import type { ShellMemory } from './step-resolver.ts';

export interface EngineOptions {
  readonly store: Store;
  readonly sandbox: Sandbox;
  readonly fetcher: Fetcher;
  /** What this agent builds for. */
  readonly platform: Platform;
  readonly clock: Clock;
  readonly logs: LogSpool;
  /** Host name inside steps; `builder` unless told. */
  readonly hostname?: string;
  /** Remembers which shell each base image has; for the life of the engine unless given. */
  readonly shells?: ShellMemory;
}

export interface PlanOptions {
  /** Without it, copies of project files and what stands on them are `unknown`. */
  readonly context?: ContextSource;
  /** Ask registries for tags that were looked up before. */
  readonly refresh?: boolean;
  readonly signal?: AbortSignal;
}

export type PlanState = 'hit' | 'miss' | 'in-flight' | 'unknown';

export interface PlanStep extends StepPlace {
  readonly stepId?: StepId;
  readonly parentId?: StepId;
  readonly record?: StepRecord;
  readonly state: PlanState;
  /** Whether the build would look at this step at all: nested builds that only hits need are not run. */
  readonly needed: boolean;
  /** Of a hit. */
  readonly sizeBytes?: number;
  /** Why the state is `unknown` or, where that helps, `miss`. */
  readonly reason?: string;
}

/** What a build would do now on this agent. */
export interface Plan {
  /** In the order of `outline`. */
  readonly steps: readonly PlanStep[];
}

export interface BuildRequest {
  readonly spec: Spec;
  readonly context: ContextSource;
  readonly secrets: ReadonlyMap<string, Uint8Array>;
  /** Of each `run`. A step that is shared with another build runs with the limits of the build that started it. */
  readonly limits: Limits;
  /** For the whole build. */
  readonly timeoutMs?: number;
  /** What of `timeoutMs` is gone already. */
  readonly spentMs?: number;
  /** For each `run`. */
  readonly stepTimeoutMs?: number;
  /** Ask registries for tags that were looked up before. */
  readonly refresh?: boolean;
  /** The log of a step that is found, where whoever watches has not heard it yet; it is told as if the step were executed. */
  readonly logOfHit?: (id: StepId) => AsyncIterable<LogChunk> | undefined;
  /** Names the build in listings of the back end: an attempt id. */
  readonly owner: string;
}

export type BuildOutcome =
  | { readonly kind: 'succeeded'; readonly stepId: StepId; readonly snapshot: SnapshotName }
  /** The first failure. `position` is `''` when no step is to blame. */
  | { readonly kind: 'failed'; readonly error: LoamError; readonly position: string }
  | { readonly kind: 'cancelled' };

/** A snapshot on this agent. */
export interface CachedStep {
  readonly snapshot: SnapshotName;
  /** Of a base image it is its `from` step's; missing for the layers below its last. */
  readonly stepId?: StepId;
  readonly parent: SnapshotName | null;
  readonly kind: StepKind;
  /** The op as printed, cut when very long; the image's name for a base. */
  readonly op: string;
  readonly createdAtMs: number;
  readonly sizeBytes: number;
}

/** A step whose result is on this agent. */
export interface HeldStep {
  readonly stepId: StepId;
  /** Of a base image: all its layers, also those that it shares with others. */
  readonly sizeBytes: number;
}

export interface RemoveOptions {
  /** Also what stands on it. Without it a step with children is refused. */
  readonly recursive?: boolean;
  /** Only tell what would go. */
  readonly dryRun?: boolean;
}

/**
 * Builds specs on one agent.
 *
 * No step runs twice: a step whose snapshot exists is a hit, and one that another build of this engine is executing is
 * shared, with its log from byte 0. A step that fails is not remembered. Cancelling a build ends the executions that only
 * it wanted, and its promise resolves when nothing of them is left.
 * Concurrency: any number of builds and plans at once. Failures of a build are outcomes; what rejects is a bug.
 */
export interface Engine {
  /** Looks, changes nothing and downloads nothing. Rejects with a `LoamError` when the spec cannot be built at all. */
  plan(spec: Spec, options?: PlanOptions): Promise<Plan>;
  build(request: BuildRequest, onEvent: (event: BuildEvent) => void, signal: AbortSignal): Promise<BuildOutcome>;
  /** All snapshots of this agent, base images' layers included. */
  listCache(): Promise<CachedStep[]>;
  /** All steps whose result is here, base images' `from` steps included. */
  listSteps(): Promise<HeldStep[]>;
  /**
   * Removes a step's snapshot (of a `from` step: its base image's last layer; those below go with it when nothing else has them) and, if told so, everything on it, children first; returns what went (or would go).
   * Throws `engine.step-unknown`, and `backend.snapshot-in-use` while a build uses any of it.
   */
  removeStep(step: StepId | SnapshotName, options?: RemoveOptions): Promise<CachedStep[]>;
  /** Resolves when no build and no execution is under way. */
  idle(): Promise<void>;
}
