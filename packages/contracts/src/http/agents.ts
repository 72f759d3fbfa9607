import { Type, type Static } from 'typebox';

import { Nullable, TimeMs } from './common.ts';
import { DoctorSummary } from './doctor.ts';
import { textForms } from './text-forms.ts';

export const AgentState = Type.Union([
  Type.Literal('online'),
  Type.Literal('offline'),
  Type.Literal('draining'),
  Type.Literal('quarantined'),
  Type.Literal('revoked'),
]);
export type AgentState = Static<typeof AgentState>;

export const AgentFacts = Type.Object({
  version: Type.String(),
  hostname: Type.String(),
  platform: Type.String({ description: 'os/arch, and on Windows the host build.' }),
  containerd: Type.String(),
  cpus: Type.Integer(),
  memoryBytes: Type.Integer(),
  diskTotalBytes: Type.Integer(),
  diskFreeBytes: Type.Integer(),
});
export type AgentFacts = Static<typeof AgentFacts>;

export const Agent = Type.Object({
  id: Type.String(),
  name: Type.String(),
  pool: Type.String(),
  state: AgentState,
  /** Why it is quarantined. */
  reason: Nullable(Type.String()),
  slots: Type.Integer(),
  facts: Nullable(AgentFacts),
  enrolledAt: TimeMs,
  lastSeenAt: Nullable(TimeMs),
  running: Type.Array(
    Type.Object({
      buildId: Type.String(),
      title: Nullable(Type.String()),
      position: Nullable(Type.String()),
      startedAt: TimeMs,
    }),
  ),
  snapshots: Type.Integer(),
  snapshotBytes: Type.Integer(),
  /** Null until its doctor has reported. */
  doctor: Nullable(DoctorSummary),
});
export type Agent = Static<typeof Agent>;

/** How containers of a Windows host are held apart; see docs/windows.md. */
export const Isolation = Type.Union([
  Type.Literal('process'),
  Type.Literal('hyperv'),
  Type.Literal('process-or-hyperv'),
]);
export type Isolation = Static<typeof Isolation>;

export const CreateEnrolmentToken = Type.Object(
  {
    pool: Type.String({ minLength: 1, maxLength: 60, pattern: textForms.poolName.pattern }),
    ttlMs: Type.Optional(Type.Integer({ minimum: 60_000, maximum: 7 * 24 * 3_600_000 })),
    slots: Type.Optional(Type.Integer({ minimum: 1, maximum: 256, description: 'Goes into the lines to paste.' })),
    isolation: Type.Optional(Isolation),
  },
  { additionalProperties: false },
);
export type CreateEnrolmentToken = Static<typeof CreateEnrolmentToken>;

/** Shown once. */
export const EnrolmentToken = Type.Object({
  id: Type.String(),
  token: Type.String(),
  pool: Type.String(),
  expiresAt: TimeMs,
  /** What the host will call the farm. */
  url: Type.String(),
  /** The address is plain HTTP and not of the same machine: token and package can be read and replaced on the way. */
  isPlainHttp: Type.Boolean(),
  /** One line to paste on the host: it installs the agent. `manual` enrols one that is there already. */
  commands: Type.Object({ linux: Type.String(), windows: Type.String(), manual: Type.String() }),
});
export type EnrolmentToken = Static<typeof EnrolmentToken>;

/** What became of a token. */
export const EnrolmentTokenState = Type.Object({
  id: Type.String(),
  pool: Type.String(),
  expiresAt: TimeMs,
  usedAt: Nullable(TimeMs),
  /** The agent that it made. */
  agent: Nullable(Agent),
});
export type EnrolmentTokenState = Static<typeof EnrolmentTokenState>;

export const EnrolAgent = Type.Object(
  {
    token: Type.String(),
    name: Type.String({ minLength: 1, maxLength: 100 }),
    slots: Type.Optional(Type.Integer({ minimum: 1 })),
  },
  { additionalProperties: false },
);
/** The agent's own credential, shown once; the farm keeps its hash. */
export const EnrolledAgent = Type.Object({ agentId: Type.String(), credential: Type.String(), pool: Type.String() });
export type EnrolledAgent = Static<typeof EnrolledAgent>;

export const UpdateAgent = Type.Object(
  { draining: Type.Optional(Type.Boolean()), slots: Type.Optional(Type.Integer({ minimum: 1, maximum: 256 })) },
  { additionalProperties: false },
);
