import { isLoamError, toLoamError } from '@loam/base';

/** Says on standard error what went wrong, under which code, and what to do about it. As JSON it is one line. */
export function printError(error: unknown, json: boolean): void {
  const known = toLoamError(error);
  if (json) {
    process.stderr.write(`${JSON.stringify({ error: known.toPublic() })}\n`);
    return;
  }
  process.stderr.write(`loam-agent: ${known.message} [${known.code}]\n  ${known.remedy}\n`);
  // Who runs this program may see what the host says.
  if (known.internal !== undefined) process.stderr.write(`  The host says: ${known.internal}\n`);
  // A bug: its stack is what a report needs.
  if (!isLoamError(error) && error instanceof Error) process.stderr.write(`${error.stack ?? error.message}\n`);
}
