/**
 * One command line of several arguments, such that a program of the Microsoft C runtime (node.exe is one) gets exactly these
 * back: backslashes are doubled before a quote only. Source: Microsoft, "Parsing C command-line arguments".
 */
export function windowsCommandLine(command: readonly string[]): string {
  return command.map(quoted).join(' ');
}

/** With blanks in it, an unquoted path would be taken for a program and its arguments, by the service manager too. */
function quoted(argument: string): string {
  if (argument !== '' && !/[\s"]/.test(argument)) return argument;
  const escaped = argument.replace(/(\\*)"/g, '$1$1\\"').replace(/(\\+)$/, '$1$1');
  return `"${escaped}"`;
}
