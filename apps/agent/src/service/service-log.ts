import { join } from 'node:path';

import { pino } from 'pino';

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

/** A log in rotating files: JSON lines as on a console, and never one of the secrets. */
export function fileLog(stateDirectory: string, secrets: readonly string[]): { log: pino.Logger; file: RotatingFile } {
  const file = new RotatingFile({ directory: serviceLogDirectory(stateDirectory), name: 'agent', maxBytes, maxFiles });
  const clean = withoutSecrets(secrets);
  const log = pino(
    { level: process.env['LOAM_LOG_LEVEL'] ?? 'info', redact: { paths: redacted, censor: hidden } },
    { write: (line: string) => file.write(clean(line)) },
  );
  return { log, file };
}

/** Fields that no part of the agent logs today; a new one that did would not get out. */
const redacted = ['token', 'credential', 'secret', 'password', 'authorization'].flatMap((name) => [name, `*.${name}`]);
