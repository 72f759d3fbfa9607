import { Type, type Static } from 'typebox';

import { Nullable, TimeMs } from './common.ts';
import { textForms } from './text-forms.ts';

/**
 * `ok` and `skipped` (does not apply here, or was not asked for) need nobody. `warning`: builds go on, something should be
 * seen to. `problem`: builds fail or will. `unknown`: it could not be found out.
 */
export const FindingStatus = Type.Union([
  Type.Literal('problem'),
  Type.Literal('warning'),
  Type.Literal('unknown'),
  Type.Literal('ok'),
  Type.Literal('skipped'),
]);
export type FindingStatus = Static<typeof FindingStatus>;

const text = Type.String({ maxLength: 8_000 });

/** What the doctor of an agent found out about one thing. */
export const Finding = Type.Object({
  id: Type.String({ maxLength: 60, pattern: textForms.findingId.pattern, description: 'Stable: `room.thing`.' }),
  title: Type.String({ maxLength: 120 }),
  status: FindingStatus,
  evidence: Type.String({ maxLength: 8_000, description: 'What was seen.' }),
  meaning: Type.String({ maxLength: 8_000, description: 'What that does to builds.' }),
  remedy: Nullable(text),
  fixable: Type.Boolean({ description: 'Whether `loam-agent doctor --fix` on the host can do something about it.' }),
});
export type Finding = Static<typeof Finding>;

export const DoctorReport = Type.Object({
  at: TimeMs,
  durationMs: Type.Number(),
  /** Of the agent that looked. */
  version: Type.String({ maxLength: 100 }),
  platform: Type.String({ maxLength: 100 }),
  findings: Type.Array(Finding, { maxItems: 200 }),
});
export type DoctorReport = Static<typeof DoctorReport>;

/** What stands beside an agent in lists: when its last report was made, and how many findings need somebody. */
export const DoctorSummary = Type.Object({ at: TimeMs, problems: Type.Integer(), warnings: Type.Integer() });
export type DoctorSummary = Static<typeof DoctorSummary>;

/** `GET /api/v1/agents/:id/doctor` */
export const AgentDoctor = Type.Object({ report: Nullable(DoctorReport) });
export type AgentDoctor = Static<typeof AgentDoctor>;

/** `POST /api/v1/agents/:id/doctor`: the agent has been asked; its report replaces the one before. */
export const DoctorRequested = Type.Object({ requestedAt: TimeMs });
export type DoctorRequested = Static<typeof DoctorRequested>;

/** `GET /api/v1/agent/self`: what the farm holds of the agent whose credential was sent. */
export const AgentSelf = Type.Object({ agentId: Type.String(), name: Type.String(), pool: Type.String() });
export type AgentSelf = Static<typeof AgentSelf>;
