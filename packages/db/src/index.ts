export { isUnavailable, type ConnectOptions } from './connect.ts';
export { openDatabase, type Database } from './database.ts';
export { migrate } from './migrate.ts';
export type { ApiTokenRow, Identity } from './repositories/access.ts';
export type { AgentDetailRow, AgentRow } from './repositories/agents.ts';
export type { Applied, ClaimedBuild, LiveAttempt, ReleasedBuild, Writer } from './repositories/attempts.ts';
export type {
  AttemptChanges,
  BaseImageChange,
  LogChange,
  ProgressChange,
  StepChange,
  StepRunChange,
} from './repositories/attempt-changes.ts';
export type { AuditEntry } from './repositories/audit.ts';
export type {
  AttemptRow,
  BuildDetailRow,
  BuildRow,
  BuildSummaryRow,
  NewBuild,
  NewBuildSecret,
  StepRunRow,
} from './repositories/builds.ts';
export type { ReplicaRow, StepRow } from './repositories/cache.ts';
export type { LogRow } from './repositories/logs.ts';
export type {
  AgentFactsJson,
  ErrorJson,
  LimitsJson,
  PlannedStepJson,
  StepExitJson,
  StepKindText,
} from './schema/json.ts';
export { createDatabase, isReachable } from './server.ts';
export type { BlobRow } from './repositories/contexts.ts';
