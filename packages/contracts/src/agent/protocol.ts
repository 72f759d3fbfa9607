import { Type, type Static } from 'typebox';

import { AgentFacts } from '../http/agents.ts';
import { LimitsBody, PhaseTime, StepExit, StepKind } from '../http/builds.ts';
import { DigestText, Nullable, PublicErrorBody, StepIdText, TimeMs } from '../http/common.ts';
import { DoctorReport } from '../http/doctor.ts';
import { PlannedStep } from '../http/plans.ts';

/** Version of this protocol. An API refuses an agent of another major version with `agent.protocol-mismatch`. */
export const protocolVersion = 1;

/**
 * The agent's link: one outbound websocket to `/api/v1/agent/link` (bearer: the agent's credential), JSON texts.
 *
 * What an attempt does is a sequence of records, numbered from 1 without a gap, first written to the agent's journal. The
 * agent sends them in order; the API stores them and acknowledges the highest number stored; the agent drops nothing that
 * is not acknowledged, and after a reconnect sends again from the acknowledged number on. A record number that the API
 * has already is ignored, one under an old fence is refused with `stale`.
 */
export const BuildRecord = Type.Union([
  Type.Object({
    type: Type.Literal('step-started'),
    at: TimeMs,
    position: Type.String(),
    stepRunId: Type.String(),
    kind: StepKind,
  }),
  Type.Object({
    type: Type.Literal('step-progress'),
    at: TimeMs,
    position: Type.String(),
    phase: Type.String(),
    /** How long the phase has lasted. */
    elapsedMs: Type.Optional(Type.Number()),
    currentBytes: Nullable(Type.Integer()),
    totalBytes: Nullable(Type.Integer()),
  }),
  /** Log bytes of a step run, base64, at an absolute offset. */
  Type.Object({
    type: Type.Literal('log'),
    at: TimeMs,
    stepRunId: Type.String(),
    stream: Type.Union([Type.Literal('stdout'), Type.Literal('stderr')]),
    offset: Type.Integer({ minimum: 0 }),
    data: Type.String(),
  }),
  Type.Object({
    type: Type.Literal('step-ended'),
    at: TimeMs,
    position: Type.String(),
    stepRunId: Type.String(),
    outcome: Type.Union([
      Type.Literal('hit'),
      Type.Literal('built'),
      Type.Literal('shared'),
      Type.Literal('failed'),
      Type.Literal('cancelled'),
    ]),
    stepId: Nullable(StepIdText),
    parentId: Nullable(StepIdText),
    copiesFrom: Type.Array(StepIdText),
    op: Type.String(),
    platform: Type.String(),
    /** The record that the step id is the hash of; null for a hit, which the farm knows from before. */
    record: Type.Unknown(),
    /** Of a `from`: what its name was found to mean. */
    image: Type.Optional(
      Nullable(Type.Object({ name: Type.String(), digest: DigestText, resolvedAtMs: Type.Number() })),
    ),
    sizeBytes: Nullable(Type.Integer()),
    durationMs: Type.Number(),
    phases: Type.Optional(Type.Array(PhaseTime)),
    logBytes: Type.Integer(),
    exit: Nullable(StepExit),
    error: Nullable(PublicErrorBody),
  }),
  /** The last record of an attempt. */
  Type.Object({
    type: Type.Literal('attempt-ended'),
    at: TimeMs,
    outcome: Type.Union([Type.Literal('succeeded'), Type.Literal('failed'), Type.Literal('cancelled')]),
    result: Nullable(StepIdText),
    error: Nullable(PublicErrorBody),
  }),
]);
export type BuildRecord = Static<typeof BuildRecord>;

export const NumberedRecord = Type.Object({ seq: Type.Integer({ minimum: 1 }), record: BuildRecord });
export type NumberedRecord = Static<typeof NumberedRecord>;

/** All that an agent needs to start an attempt, but for the secrets and the context, which it fetches over HTTPS. */
export const Offer = Type.Object({
  attemptId: Type.String(),
  fence: Type.Integer(),
  buildId: Type.String(),
  spec: Type.String(),
  context: Nullable(DigestText),
  secretIds: Type.Array(Type.String()),
  timeoutMs: Nullable(Type.Integer()),
  limits: LimitsBody,
  refresh: Type.Boolean(),
});
export type Offer = Static<typeof Offer>;

export const HeldStep = Type.Object({ stepId: StepIdText, sizeBytes: Nullable(Type.Integer()) });

/** What an agent can say of a step that it holds without a build that uses it. */
export const DescribedStep = Type.Object({
  stepId: StepIdText,
  parentId: Nullable(StepIdText),
  kind: StepKind,
  op: Type.String(),
  platform: Type.String(),
  sizeBytes: Nullable(Type.Integer()),
});
export type DescribedStep = Static<typeof DescribedStep>;

export const AgentMessage = Type.Union([
  Type.Object({
    type: Type.Literal('hello'),
    protocol: Type.Integer(),
    /** New at each start of the agent process. */
    bootId: Type.String(),
    facts: AgentFacts,
    slots: Type.Integer(),
    /** Attempts in the journal: running ones, and ended ones not acknowledged yet. */
    attempts: Type.Array(
      Type.Object({
        attemptId: Type.String(),
        fence: Type.Integer(),
        running: Type.Boolean(),
        lastSeq: Type.Integer(),
      }),
    ),
  }),
  Type.Object({ type: Type.Literal('heartbeat'), facts: AgentFacts, running: Type.Integer() }),
  /** Step ids in the agent's store, whole: sent after `welcome`, so that the cache graph forgets what is gone. */
  Type.Object({ type: Type.Literal('inventory'), steps: Type.Array(HeldStep) }),
  Type.Object({ type: Type.Literal('accepted'), attemptId: Type.String(), fence: Type.Integer() }),
  Type.Object({
    type: Type.Literal('rejected'),
    attemptId: Type.String(),
    fence: Type.Integer(),
    reason: Type.String(),
  }),
  Type.Object({
    type: Type.Literal('records'),
    attemptId: Type.String(),
    fence: Type.Integer(),
    records: Type.Array(NumberedRecord),
  }),
  Type.Object({
    type: Type.Literal('planned'),
    requestId: Type.String(),
    steps: Type.Optional(Type.Array(PlannedStep)),
    error: Type.Optional(PublicErrorBody),
  }),
  Type.Object({
    type: Type.Literal('removed'),
    requestId: Type.String(),
    steps: Type.Array(StepIdText),
    error: Type.Optional(PublicErrorBody),
  }),
  /** What is gone meanwhile is left out. */
  Type.Object({
    type: Type.Literal('described'),
    requestId: Type.String(),
    steps: Type.Array(DescribedStep),
    error: Type.Optional(PublicErrorBody),
  }),
  Type.Object({ type: Type.Literal('quarantined'), reason: Type.String() }),
  /** Made at the start, every hour, and when the API asks for one. */
  Type.Object({
    type: Type.Literal('doctor-report'),
    report: DoctorReport,
    /** How long ago the doctor began to look: a new link begins with a report that may be old. */
    ageMs: Type.Optional(Type.Number({ minimum: 0 })),
  }),
]);
export type AgentMessage = Static<typeof AgentMessage>;

export const ApiMessage = Type.Union([
  Type.Object({
    type: Type.Literal('welcome'),
    agentId: Type.String(),
    heartbeatMs: Type.Integer(),
    /** For each attempt named in `hello`: the highest record stored, and whether the attempt still holds its right to write. */
    attempts: Type.Array(Type.Object({ attemptId: Type.String(), ackedSeq: Type.Integer(), live: Type.Boolean() })),
  }),
  Type.Object({ type: Type.Literal('offer'), offer: Offer }),
  Type.Object({ type: Type.Literal('cancel'), attemptId: Type.String(), reason: Type.String() }),
  Type.Object({ type: Type.Literal('ack'), attemptId: Type.String(), seq: Type.Integer() }),
  /** The attempt lost its right to write: stop it, drop its journal. */
  Type.Object({ type: Type.Literal('stale'), attemptId: Type.String() }),
  Type.Object({
    type: Type.Literal('plan'),
    requestId: Type.String(),
    spec: Type.String(),
    context: Nullable(DigestText),
    refresh: Type.Boolean(),
  }),
  /** Remove snapshots, children first; the agent answers with those that are gone. */
  Type.Object({ type: Type.Literal('remove'), requestId: Type.String(), steps: Type.Array(StepIdText) }),
  /** Tell of held steps that the farm has never heard of: those of attempts that were lost. */
  Type.Object({ type: Type.Literal('describe'), requestId: Type.String(), steps: Type.Array(StepIdText) }),
  /** Examine the host and send a `doctor-report`. */
  Type.Object({ type: Type.Literal('doctor') }),
]);
export type ApiMessage = Static<typeof ApiMessage>;

/** Header that carries the fence on an agent's HTTPS requests for an attempt. */
export const fenceHeader = 'loam-fence';

/** `GET /api/v1/agent/attempts/:attemptId/secrets` */
export const AttemptSecrets = Type.Object({
  secrets: Type.Array(Type.Object({ id: Type.String(), value: Type.String({ description: 'Base64.' }) })),
});
export type AttemptSecrets = Static<typeof AttemptSecrets>;
