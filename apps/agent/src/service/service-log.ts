import { join } from 'node:path';

import { pino } from 'pino';

import { readLogLevel, type Log } from '../log.ts';
import { RotatingFile } from './rotating-file.ts';

const maxBytes = 10 * 1024 * 1024;
const maxFiles = 10;
const hidden = '[hidden]';

/** Where a service that nobody sees on a console writes its log. Step logs are in `logs`. */
export function serviceLogDirectory(stateDirectory: string): string {
  return join(stateDirectory, 'service-log');
}

/** Takes secrets out of text, wherever in it they are. */
export function withoutSecrets(secrets: readonly string[]): (text: string) => string {
  const known = secrets.filter((secret) => secret.length >= 8);
  return (text) => known.reduce((rest, secret) => rest.replaceAll(secret, hidden), text);
}

/** A log in rotating files: JSON lines as on a console. */
export function fileLog(stateDirectory: string, secrets: readonly string[]): { log: Log; file: RotatingFile } {
  const file = new RotatingFile({ directory: serviceLogDirectory(stateDirectory), name: 'agent', maxBytes, maxFiles });
  return { log: cleanLog(secrets, (line) => file.write(line)), file };
}

/** A log whose lines hold none of the secrets. */
export function cleanLog(secrets: readonly string[], write: (line: string) => void): Log {
  const clean = withoutSecrets(secrets);
  return pino(
    { level: readLogLevel(process.env['LOAM_LOG_LEVEL']), redact: { paths: redacted, censor: hidden } },
    { write: (line: string) => write(clean(line)) },
  );
}

/** Fields that no part of the agent logs today; a new one that did would not get out. */
const redacted = ['token', 'credential', 'secret', 'password', 'authorization'].flatMap((name) => [name, `*.${name}`]);
