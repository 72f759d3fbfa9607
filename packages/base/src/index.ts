export { assertNever } from './assert-never.ts';
export type { Brand } from './brand.ts';
export { sleep, systemClock, TestClock, type Clock } from './clock.ts';
export { errorCatalogue, type ErrorCode } from './errors/catalogue.ts';
export type { ErrorEntry } from './errors/define.ts';
export {
  cancelled,
  isLoamError,
  LoamError,
  toLoamError,
  type ErrorDetails,
  type LoamErrorOptions,
  type PublicError,
} from './errors/loam-error.ts';
export {
  createIdSource,
  idPrefixes,
  isDigest,
  isId,
  isStepId,
  type AgentId,
  type AttemptId,
  type BuildId,
  type Digest,
  type IdKind,
  type IdOf,
  type IdSource,
  type StepId,
  type StepRunId,
} from './id.ts';
