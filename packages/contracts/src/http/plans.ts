import { Type, type Static } from 'typebox';

import { StepKind } from './builds.ts';
import { Diagnostic, DigestText, Nullable, StepIdText } from './common.ts';

export const CheckSpec = Type.Object(
  { spec: Type.String({ maxLength: 4 * 1024 * 1024 }) },
  { additionalProperties: false },
);
export const CheckedSpec = Type.Object({ ok: Type.Boolean(), diagnostics: Type.Array(Diagnostic) });
export type CheckedSpec = Static<typeof CheckedSpec>;

export const PlanRequest = Type.Object(
  {
    spec: Type.String({ maxLength: 4 * 1024 * 1024 }),
    pool: Type.Optional(Type.String()),
    context: Type.Optional(DigestText),
    refresh: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);
export type PlanRequest = Static<typeof PlanRequest>;

export const PlannedStep = Type.Object({
  position: Type.String(),
  stage: Type.Array(Type.String()),
  kind: StepKind,
  op: Type.String(),
  state: Type.Union([Type.Literal('hit'), Type.Literal('miss'), Type.Literal('in-flight'), Type.Literal('unknown')]),
  stepId: Nullable(StepIdText),
  sizeBytes: Nullable(Type.Integer()),
  /** What this step took when it was last built anywhere. */
  lastDurationMs: Nullable(Type.Number()),
  /** Why it is a miss or unknown. */
  reason: Nullable(Type.String()),
});
export type PlannedStep = Static<typeof PlannedStep>;

/** What a build would do before it runs. */
export const Plan = Type.Object({
  /** The agent whose store was asked; null when no agent of the pool is connected, and then every step is unknown. */
  agentName: Nullable(Type.String()),
  steps: Type.Array(PlannedStep),
  diagnostics: Type.Array(Diagnostic),
});
export type Plan = Static<typeof Plan>;
