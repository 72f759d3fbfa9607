import { Type, type Static } from 'typebox';

import { Diagnostic, DigestText, Nullable, PublicErrorBody, StepIdText, TimeMs } from './common.ts';

/** A secret for one build: its value (kept encrypted until the build has ended), or the name of one that the farm keeps. */
export const SecretInput = Type.Union([
  Type.Object({ id: Type.String({ minLength: 1 }), value: Type.String({ description: 'Base64.' }) }),
  Type.Object({ id: Type.String({ minLength: 1 }), name: Type.String({ minLength: 1 }) }),
]);
export type SecretInput = Static<typeof SecretInput>;

export const LimitsBody = Type.Object({
  cpus: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
  memoryBytes: Type.Optional(Type.Integer({ minimum: 4 * 1024 * 1024 })),
  scratchBytes: Type.Optional(
    Type.Integer({
      minimum: 1024 ** 3,
      description: 'Of the disk that a step writes to. Windows only; 20 GB at least.',
    }),
  ),
  isolation: Type.Optional(
    Type.Union([Type.Literal('process'), Type.Literal('hyperv')], {
      description: 'How a step is kept apart from its host. Windows only, and as far as the agent allows it.',
    }),
  ),
});

export const SubmitBuild = Type.Object(
  {
    spec: Type.String({ maxLength: 4 * 1024 * 1024, description: 'The text of the spec.' }),
    pool: Type.Optional(Type.String({ default: 'linux' })),
    title: Type.Optional(Type.String({ maxLength: 200 })),
    context: Type.Optional(DigestText),
    secrets: Type.Optional(Type.Array(SecretInput)),
    priority: Type.Optional(
      Type.Integer({ minimum: -100, maximum: 100, description: 'Higher goes first. 0 by default.' }),
    ),
    timeoutMs: Type.Optional(Type.Integer({ minimum: 1000, description: 'Wall-clock limit of one attempt.' })),
    limits: Type.Optional(LimitsBody),
    refresh: Type.Optional(Type.Boolean({ description: 'Look base image tags up again.' })),
  },
  { additionalProperties: false },
);
export type SubmitBuild = Static<typeof SubmitBuild>;

export const BuildState = Type.Union([
  Type.Literal('queued'),
  Type.Literal('running'),
  Type.Literal('succeeded'),
  Type.Literal('failed'),
  Type.Literal('cancelled'),
]);
export type BuildState = Static<typeof BuildState>;

export const StepKind = Type.Union([Type.Literal('from'), Type.Literal('run'), Type.Literal('copy')]);
export type StepKind = Static<typeof StepKind>;

export const StepState = Type.Union([
  Type.Literal('pending'),
  Type.Literal('running'),
  Type.Literal('hit'),
  Type.Literal('built'),
  Type.Literal('shared'),
  Type.Literal('failed'),
  Type.Literal('cancelled'),
  Type.Literal('skipped'),
]);
export type StepState = Static<typeof StepState>;

export const StepExit = Type.Union([
  Type.Object({
    kind: Type.Literal('exited'),
    code: Type.Integer(),
    meaning: Type.Optional(
      Type.String({ description: 'The code as its reader needs it, where a number says too little.' }),
    ),
  }),
  Type.Object({ kind: Type.Literal('signalled'), signal: Type.Integer() }),
  Type.Object({ kind: Type.Literal('out-of-memory') }),
  Type.Object({ kind: Type.Literal('timed-out') }),
]);
export type StepExit = Static<typeof StepExit>;

/** How long a step was in a phase. */
export const PhaseTime = Type.Object({ phase: Type.String(), durationMs: Type.Number() });
export type PhaseTime = Static<typeof PhaseTime>;

/** One step of a build's latest attempt. */
export const Step = Type.Object({
  /** Stage path and index: `0`, `dev/2`. Stable for one spec. */
  position: Type.String(),
  /** Names of the nested builds that it is in, outermost first. */
  stage: Type.Array(Type.String()),
  kind: StepKind,
  op: Type.String({ description: 'As written, on one line or more.' }),
  state: StepState,
  /** Step run; null until it started. */
  id: Nullable(Type.String()),
  stepId: Nullable(StepIdText),
  parentId: Nullable(StepIdText),
  phase: Nullable(Type.String()),
  phaseStartedAt: Nullable(TimeMs),
  currentBytes: Nullable(Type.Integer()),
  totalBytes: Nullable(Type.Integer()),
  startedAt: Nullable(TimeMs),
  endedAt: Nullable(TimeMs),
  durationMs: Nullable(Type.Number()),
  /** What the time of a step that has ended went into; null where nobody told. */
  phases: Nullable(Type.Array(PhaseTime)),
  sizeBytes: Nullable(Type.Integer()),
  /** The step run whose log to read: itself, or for a hit the one that executed it, when the farm still has it. */
  logId: Nullable(Type.String()),
  logBytes: Type.Integer(),
  exit: Nullable(StepExit),
  error: Nullable(PublicErrorBody),
});
export type Step = Static<typeof Step>;

export const Attempt = Type.Object({
  id: Type.String(),
  number: Type.Integer(),
  fence: Type.Integer(),
  agentId: Type.String(),
  agentName: Type.String(),
  state: Type.Union([
    Type.Literal('offered'),
    Type.Literal('running'),
    Type.Literal('succeeded'),
    Type.Literal('failed'),
    Type.Literal('cancelled'),
    Type.Literal('lost'),
  ]),
  startedAt: TimeMs,
  endedAt: Nullable(TimeMs),
});
export type Attempt = Static<typeof Attempt>;

export const BuildSummary = Type.Object({
  id: Type.String(),
  title: Nullable(Type.String()),
  state: BuildState,
  pool: Type.String(),
  priority: Type.Integer(),
  createdAt: TimeMs,
  startedAt: Nullable(TimeMs),
  endedAt: Nullable(TimeMs),
  createdBy: Type.String(),
  agentName: Nullable(Type.String()),
  /** Counts of the latest attempt's steps. */
  steps: Type.Object({
    total: Type.Integer(),
    hit: Type.Integer(),
    built: Type.Integer(),
    failed: Type.Integer(),
    running: Type.Integer(),
  }),
  error: Nullable(PublicErrorBody),
  /** Why a queued build waits, in a sentence; null when it does not. */
  waiting: Nullable(Type.String()),
  cancelRequested: Type.Boolean(),
  retryOf: Nullable(Type.String()),
});
export type BuildSummary = Static<typeof BuildSummary>;

export const Build = Type.Intersect([
  BuildSummary,
  Type.Object({
    spec: Type.String(),
    context: Nullable(DigestText),
    secretIds: Type.Array(Type.String()),
    timeoutMs: Nullable(Type.Integer()),
    limits: LimitsBody,
    refresh: Type.Boolean(),
    warnings: Type.Array(Diagnostic),
    attempts: Type.Array(Attempt),
    stepRuns: Type.Array(Step),
    /** Step id of the result, once it succeeded. */
    result: Nullable(StepIdText),
  }),
]);
export type Build = Static<typeof Build>;

export const ListBuildsQuery = Type.Object({
  state: Type.Optional(BuildState),
  pool: Type.Optional(Type.String()),
  search: Type.Optional(Type.String({ maxLength: 200, description: 'In title, id or spec.' })),
  cursor: Type.Optional(Type.String()),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50 })),
});
export type ListBuildsQuery = Static<typeof ListBuildsQuery>;
