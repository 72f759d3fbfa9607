export type {
  BuildOutcome,
  BuildRequest,
  CachedStep,
  Engine,
  EngineOptions,
  HeldStep,
  Plan,
  PlanOptions,
  PlanState,
  PlanStep,
  RemoveOptions,
} from './api.ts';
export { createEngine } from './engine.ts';
export type {
  BuildEvent,
  PhaseTime,
  StepEnded,
  StepImage,
  StepKind,
  StepLog,
  StepOutcome,
  StepPhase,
  StepPlace,
  StepProgress,
  StepStarted,
} from './events.ts';
export { memoryLogSpool, type LogChunk, type LogSpool, type SpoolWriter } from './log-spool.ts';
export {
  canonicalJson,
  stepId,
  stepRecordFormat,
  type CopyBuildRecord,
  type CopyContextRecord,
  type FromRecord,
  type RunRecord,
  type StepRecord,
} from './step-record.ts';
export { outline } from './stage.ts';
export type { ShellMemory } from './step-resolver.ts';
