import { pino, type DestinationStream, type Logger } from 'pino';

/** Whatever else ends up in a log line, these never do. */
const redact = [
  'authorization',
  'cookie',
  'token',
  'credential',
  'password',
  '*.authorization',
  '*.cookie',
  '*.token',
  '*.credential',
  '*.password',
  'req.headers',
  'body',
  '*.body',
  // What Redis refused; for one that refuses us that is our password.
  'err.command',
];

/** Logs to standard error: JSON for machines, short lines when a person looks on. Its level is `info` until set. */
export function createLog(): Logger {
  const serializers = {
    req: (request: { method?: string; url?: string; id?: string }) => ({
      method: request.method,
      // The query of a login link is a secret.
      path: request.url?.split('?', 1)[0],
    }),
  };
  const options = { serializers, redact, base: null };
  return process.stderr.isTTY ? pino(options, terminal) : pino(options, pino.destination({ fd: 2, sync: true }));
}

const names: Record<number, string> = { 10: 'trace', 20: 'debug', 30: 'info ', 40: 'WARN ', 50: 'ERROR', 60: 'FATAL' };

const terminal: DestinationStream = {
  write(line) {
    const { level, time, msg, err, ...rest } = JSON.parse(line) as {
      level: number;
      time: number;
      msg?: string;
      err?: { message?: string; stack?: string };
    };
    const facts = Object.entries(rest).map(([key, value]) => ` ${key}=${JSON.stringify(value)}`);
    const trouble = err === undefined ? '' : `\n      ${level >= 50 ? (err.stack ?? err.message) : err.message}`;
    const clock = new Date(time).toISOString().slice(11, 23);
    process.stderr.write(`${clock} ${names[level] ?? level} ${msg ?? ''}${facts.join('')}${trouble}\n`);
  },
};
