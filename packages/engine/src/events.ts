import type { OutputStream, RunExit, SnapshotName } from '@loam/backend';
import type { Digest, PublicError, StepId } from '@loam/base';

import type { StepRecord } from './step-record.ts';

export type StepKind = 'from' | 'run' | 'copy';

/** A step's place in its spec. Steps are the `from` (number 0) and each `run` and `copy` in order; other ops have none. */
export interface StepPlace {
  /** Stage path and number: `0`, `3`, `dev/2`, `dev/inner/0`. */
  readonly position: string;
  /** Names of the nested builds down to the step's own, joined by `/`; `''` for the outermost. */
  readonly stage: string;
  readonly kind: StepKind;
  /** The op as the spec's printer writes it; long ones have several lines. */
  readonly op: string;
}

export interface StepStarted extends StepPlace {
  readonly type: 'step-started';
}

export type StepPhase = 'resolving' | 'downloading' | 'unpacking' | 'preparing' | 'running' | 'copying' | 'committing';

export interface StepProgress {
  readonly type: 'step-progress';
  readonly position: string;
  readonly phase: StepPhase;
  /** How long this phase has lasted by now. */
  readonly elapsedMs: number;
  readonly currentBytes?: number;
  readonly totalBytes?: number;
}

/** How long a step was in a phase, all its times in it together. */
export interface PhaseTime {
  readonly phase: StepPhase;
  readonly durationMs: number;
}

/** A piece of a step's log. The pieces of one step come in order, from byte 0, without gap or overlap. */
export interface StepLog {
  readonly type: 'step-log';
  readonly position: string;
  readonly stream: OutputStream;
  /** Of the first byte, in the merged log. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** What a `from` was resolved to. */
export interface StepImage {
  readonly digest: Digest;
  /** Fully qualified. */
  readonly name: string;
  readonly resolvedAtMs: number;
}

/**
 * `hit`: the snapshot was there. `built`: this build executed it. `shared`: it was being executed already, mostly
 * by another build, and this one waited. `cancelled`: the build was cancelled, or another of its steps failed, before this one ended.
 */
export type StepOutcome = 'hit' | 'built' | 'shared' | 'failed' | 'cancelled';

export interface StepEnded {
  readonly type: 'step-ended';
  readonly position: string;
  readonly outcome: StepOutcome;
  /** Missing only when the step failed or was cancelled before its inputs were known. */
  readonly stepId?: StepId;
  /** The step below; missing for a `from`. */
  readonly parentId?: StepId;
  readonly record?: StepRecord;
  /** Set when the step succeeded. */
  readonly snapshot?: SnapshotName;
  /** Of the new layer alone; only when it was made now. */
  readonly sizeBytes?: number;
  readonly durationMs: number;
  /** What the time went into, as far as this build saw it; a commit may take long where it converts a layer (reference §3.2). */
  readonly phases?: readonly PhaseTime[];
  /** How the command ended; only for a `run` that was executed. */
  readonly exit?: RunExit;
  readonly error?: PublicError;
  /** Length of the log that was delivered. */
  readonly logBytes: number;
  readonly image?: StepImage;
}

/**
 * What a build tells while it runs. Per step: one `step-started`, then progress and log pieces, then one `step-ended`;
 * steps of different stages interleave. Steps of nested builds that nothing needed have no events.
 */
export type BuildEvent = StepStarted | StepProgress | StepLog | StepEnded;
