import type { Brand } from './brand.ts';
import type { Clock } from './clock.ts';

/** Prefixes of loggable ids. A secret never shares one of them (API tokens start with `loam_`). */
export const idPrefixes = {
  build: 'bld',
  attempt: 'att',
  stepRun: 'run',
  agent: 'agt',
  enrolmentToken: 'enr',
  apiToken: 'tok',
  secret: 'sec',
  audit: 'aud',
} as const;

export type IdKind = keyof typeof idPrefixes;
export type BuildId = Brand<string, 'BuildId'>;
export type AttemptId = Brand<string, 'AttemptId'>;
export type StepRunId = Brand<string, 'StepRunId'>;
export type AgentId = Brand<string, 'AgentId'>;
/** Lower-case hex SHA-256 of a step's canonical inputs. */
export type StepId = Brand<string, 'StepId'>;
/** `sha256:` and 64 lower-case hex digits. */
export type Digest = Brand<string, 'Digest'>;

interface IdTypes {
  build: BuildId;
  attempt: AttemptId;
  stepRun: StepRunId;
  agent: AgentId;
}
export type IdOf<K extends IdKind> = K extends keyof IdTypes ? IdTypes[K] : string;

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';

function base32(value: bigint, length: number): string {
  let text = '';
  for (let rest = value; text.length < length; rest >>= 5n) text = alphabet[Number(rest & 31n)] + text;
  return text;
}

/** Mints ids. Injected, so that tests are repeatable. */
export interface IdSource {
  next<K extends IdKind>(kind: K): IdOf<K>;
}

/**
 * Ids such as `bld_01j…`: prefix, 48 bits of time, 80 random bits, in Crockford's base 32. Those of one source sort in the
 * order in which they were made, also within a millisecond and when the clock is set back: such a one counts on from the last.
 */
export function createIdSource(clock: Clock, randomBytes: (size: number) => Uint8Array = webRandom): IdSource {
  let timeMs = 0;
  let random = 0n;
  const maxRandom = (1n << 80n) - 1n;
  return {
    next<K extends IdKind>(kind: K): IdOf<K> {
      const nowMs = clock.now();
      if (nowMs > timeMs || random === maxRandom) {
        timeMs = Math.max(nowMs, timeMs + 1);
        random = randomBytes(10).reduce((bits, byte) => (bits << 8n) | BigInt(byte), 0n);
      } else {
        random += 1n;
      }
      return `${idPrefixes[kind]}_${base32(BigInt(timeMs), 10)}${base32(random, 16)}` as IdOf<K>;
    },
  };
}

function webRandom(size: number): Uint8Array {
  return globalThis.crypto.getRandomValues(new Uint8Array(size));
}

/** Whether `text` is an id of that kind, as `createIdSource` makes them. */
export function isId<K extends IdKind>(kind: K, text: string): text is IdOf<K> {
  return text.startsWith(`${idPrefixes[kind]}_`) && /^[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}$/.test(text);
}

export function isDigest(text: string): text is Digest {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}

export function isStepId(text: string): text is StepId {
  return /^[0-9a-f]{64}$/.test(text);
}
