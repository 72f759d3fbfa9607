import { GrpcStatusError } from '@loam/containerd/testing';

/** The gRPC codes that containerd answers with (reference §1.1). */
export const code = {
  unknown: 2,
  invalidArgument: 3,
  notFound: 5,
  alreadyExists: 6,
  failedPrecondition: 9,
  outOfRange: 11,
  unimplemented: 12,
  unavailable: 14,
} as const;

export const fail = {
  /** What shims and HCS say comes with this code: their words are all there is. */
  unknown: (text: string) => new GrpcStatusError(code.unknown, text),
  invalid: (text: string) => new GrpcStatusError(code.invalidArgument, `${text}: invalid argument`),
  notFound: (text: string) => new GrpcStatusError(code.notFound, `${text}: not found`),
  exists: (text: string) => new GrpcStatusError(code.alreadyExists, `${text}: already exists`),
  precondition: (text: string) => new GrpcStatusError(code.failedPrecondition, `${text}: failed precondition`),
  outOfRange: (text: string) => new GrpcStatusError(code.outOfRange, `${text}: out of range`),
  unavailable: (text: string) => new GrpcStatusError(code.unavailable, `${text}: unavailable`),
};
