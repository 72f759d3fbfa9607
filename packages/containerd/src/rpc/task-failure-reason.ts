/** What shims say when the fault is in what the user asked for, and how to repeat it without their internals. */
const knownReasons: readonly RegExp[] = [
  // runc 1.0 and newer: `exec: "nope": executable file not found in $PATH`, `exec: "/x": permission denied`, `... no such file or directory`.
  /(exec: "(?:[^"\\]|\\.)*": (?:executable file not found in \$PATH|permission denied|(?:stat [^:]+: )?no such file or directory|is a directory))/,
  /(exec (?:[^:\s]+): (?:exec format error|no such file or directory|permission denied))/,
  /(chdir to cwd \("[^"]*"\) set in config\.json failed: [a-z ]+)/,
  /(mkdir [^:]+: (?:not a directory|read-only file system|no space left on device))/,
  // runhcs: the words of Windows stand at the end of the name of the failed call.
  /: (The (?:system cannot find the (?:file|path) specified|directory name is invalid|parameter is incorrect|filename or extension is too long))/,
];

/**
 * The part of a shim's message that its user needs, such as `exec: "gcc": executable file not found in $PATH`.
 * Everything else in it (paths of the host, ids, layers of wrapping) is for logs.
 */
export function taskFailureReason(message: string): string {
  for (const pattern of knownReasons) {
    const reason = pattern.exec(message)?.[1];
    if (reason !== undefined) return reason;
  }
  return 'the container runtime reported an error';
}
