import { isLoamError, LoamError } from '@loam/base';

/** What a failed start means to the user. containerd's client has boiled the shim's words down to a reason. */
export function explainStartFailure(error: unknown, command: string): unknown {
  if (!isLoamError(error, 'containerd.task-failed', 'containerd.not-found', 'containerd.failed')) return error;
  const text = `${error.message} ${error.internal ?? ''}`;
  if (notFound.test(text)) return LoamError.of('backend.command-not-found', { command }, { cause: error });
  const reason = /^The container could not be run: (.*)\.$/s.exec(error.message)?.[1] ?? error.message;
  return LoamError.of('backend.run-failed', { reason }, { cause: error, ...internal(error) });
}

function internal(error: LoamError): { internal?: string } {
  return error.internal === undefined ? {} : { internal: error.internal };
}

/** runc 1.0 and newer: `exec: "x": executable file not found in $PATH`, `exec: "/x": stat /x: no such file or directory`. */
const notFound =
  /executable file not found in \$PATH|exec: "[^"]*":(?: stat [^:]*:)? no such file or directory|exec [^:]*: no such file or directory/;
