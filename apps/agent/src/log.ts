import { LoamError } from '@loam/base';

/** What the daemon's parts write their log to; pino has this shape. */
export interface Log {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

export const silentLog: Log = { info() {}, warn() {}, error() {} };

const levels = ['debug', 'info', 'warn', 'error'] as const;

/** Throws `agent.bad-argument`. Set to nothing is not set: Compose files and units cannot leave a variable out. */
export function readLogLevel(text: string | undefined): (typeof levels)[number] {
  const level = levels.find((each) => each === (text || 'info'));
  if (level !== undefined) return level;
  const reason = `it is none of ${levels.join(', ')}`;
  throw LoamError.of('agent.bad-argument', { option: 'LOAM_LOG_LEVEL', value: String(text), reason });
}
