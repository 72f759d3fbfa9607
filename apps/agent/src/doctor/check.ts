import type { Finding } from '@loam/contracts';

import type { DoctorHost } from './doctor-host.ts';

/** What a check concludes from the facts it gathered. Pure functions make these, so that each can be tested by facts alone. */
export interface Verdict {
  readonly status: Finding['status'];
  /** What was seen: names, numbers, the words of whoever refused. No secrets. */
  readonly evidence: string;
  /** What that does to builds. */
  readonly meaning: string;
  /** Behind `Run: ` comes a command to its end and nothing else: the farm's page has it copied. */
  readonly remedy: string | null;
  /** Whether `repair` of the check would help. */
  readonly fixable: boolean;
}

/** One thing that the doctor looks at. */
export interface Check<F> {
  /** Stable: operators and tests name it. `room.thing`. */
  readonly id: string;
  /** What it is about, not how it ought to be: it stands above good news and bad. */
  readonly title: string;
  /** Every platform unless given. */
  readonly only?: DoctorHost['os'];
  /** It leaves the host, or takes long: only when somebody asks for it by its id. */
  readonly onRequest?: boolean;
  readonly timeLimitMs?: number;
  /** Looks. Whatever it throws becomes a finding whose status is unknown. Must not change anything. */
  gather(host: DoctorHost): Promise<F>;
  judge(facts: F, host: DoctorHost): Verdict;
  /** Puts right what `judge` called fixable, and says in a sentence what it did. Only called while no agent runs. */
  repair?(host: DoctorHost): Promise<string>;
}

/** A check whose facts are its own affair. */
export interface AnyCheck extends Omit<Check<unknown>, 'gather' | 'judge'> {
  examine(host: DoctorHost): Promise<Verdict>;
}

export function defineCheck<F>({ gather, judge, ...check }: Check<F>): AnyCheck {
  return { ...check, examine: async (host) => judge(await gather(host), host) };
}

export function ok(evidence: string, meaning: string): Verdict {
  return { status: 'ok', evidence, meaning, remedy: null, fixable: false };
}

export function skipped(evidence: string, meaning: string): Verdict {
  return { status: 'skipped', evidence, meaning, remedy: null, fixable: false };
}

export function unknown(evidence: string, meaning: string, remedy: string | null = null): Verdict {
  return { status: 'unknown', evidence, meaning, remedy, fixable: false };
}

export function warning(evidence: string, meaning: string, remedy: string, fixable: boolean = false): Verdict {
  return { status: 'warning', evidence, meaning, remedy, fixable };
}

export function problem(evidence: string, meaning: string, remedy: string, fixable: boolean = false): Verdict {
  return { status: 'problem', evidence, meaning, remedy, fixable };
}
