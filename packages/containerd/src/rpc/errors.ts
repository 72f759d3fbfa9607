import { cancelled, LoamError } from '@loam/base';
import { taskFailureReason } from './task-failure-reason.ts';

/** The end of a gRPC call as the server told it. */
export interface GrpcStatus {
  readonly code: number;
  readonly message: string;
}

/** The codes of https://grpc.github.io/grpc/core/md_doc_statuscodes.html that are told apart here. */
export const grpcCode = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  failedPrecondition: 9,
  outOfRange: 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** What a call was about, for messages. */
export interface CallContext {
  /** As in `Snapshots.Prepare`. */
  readonly method: string;
  /** As in `snapshot`. */
  readonly subject: string;
}

const subjects: Record<string, string> = {
  Containers: 'container',
  Content: 'blob',
  Diff: 'layer',
  Events: 'event stream',
  Images: 'image',
  Introspection: 'plugin',
  Leases: 'lease',
  Namespaces: 'namespace',
  Snapshots: 'snapshot',
  Tasks: 'task',
  Version: 'version',
};

export function callContext(service: string, method: string): CallContext {
  return { method: `${service}.${method}`, subject: subjects[service] ?? service };
}

/** A status other than OK as an error of ours. The server's words stay internal, but for what a user can act on. */
export function errorFromStatus(status: GrpcStatus, { method, subject }: CallContext): LoamError {
  const options = { internal: `${method}: ${status.message} (gRPC code ${status.code})` };
  switch (status.code) {
    case grpcCode.notFound:
      return LoamError.of('containerd.not-found', { subject }, options);
    case grpcCode.alreadyExists:
      return LoamError.of('containerd.already-exists', { subject }, options);
    case grpcCode.failedPrecondition:
      return LoamError.of('containerd.failed-precondition', { subject }, options);
    case grpcCode.invalidArgument:
      return LoamError.of('containerd.invalid-argument', { subject }, options);
    case grpcCode.outOfRange:
      return LoamError.of('containerd.out-of-range', { subject }, options);
    case grpcCode.unimplemented:
      return LoamError.of('containerd.unimplemented', { subject }, options);
    case grpcCode.deadlineExceeded:
      return LoamError.of('containerd.deadline-exceeded', { method }, options);
    case grpcCode.permissionDenied:
    case grpcCode.unauthenticated:
      return LoamError.of('containerd.permission-denied', {}, options);
    case grpcCode.unavailable:
      // The same code says that the daemon goes down and that another writer holds the lock of an ingest.
      return /\blocked\b/.test(status.message)
        ? LoamError.of('containerd.locked', { subject }, options)
        : LoamError.of('containerd.unavailable', {}, options);
    case grpcCode.cancelled:
      // Not by us (that never waits for the server's word): the daemon is going down.
      return LoamError.of('containerd.unavailable', {}, options);
    case grpcCode.unknown:
    case grpcCode.internal:
      if (subject !== 'task') return LoamError.of('containerd.failed', { subject }, options);
      // runc's shim of 1.6 has no code for it.
      return status.message.includes('cannot delete a running process')
        ? LoamError.of('containerd.failed-precondition', { subject }, options)
        : LoamError.of('containerd.task-failed', { reason: taskFailureReason(status.message) }, options);
    default:
      return LoamError.of('containerd.failed', { subject }, options);
  }
}

/** A broken connection, or none, as an error of ours. */
export function errorFromTransport(error: unknown, { method }: CallContext): LoamError {
  const codes = errorChain(error).map((link) => link.code);
  const internal = `${method}: ${errorChain(error)
    .map((link) => link.message)
    .join(': ')}`;
  return codes.includes('EACCES') || codes.includes('EPERM')
    ? LoamError.of('containerd.permission-denied', {}, { cause: error, internal })
    : LoamError.of('containerd.unavailable', {}, { cause: error, internal });
}

/** The error of a call whose signal aborted: the signal's own LoamError, or `general.cancelled`. */
export function errorFromSignal(signal: AbortSignal): LoamError {
  return signal.reason instanceof LoamError ? signal.reason : cancelled();
}

function errorChain(error: unknown): { code: string | undefined; message: string }[] {
  const chain: { code: string | undefined; message: string }[] = [];
  for (let at = error; at instanceof Error && chain.length < 5; at = at.cause) {
    chain.push({ code: (at as NodeJS.ErrnoException).code, message: at.message });
  }
  return chain;
}
