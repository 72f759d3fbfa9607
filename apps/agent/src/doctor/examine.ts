import { isLoamError, toLoamError, type Clock } from '@loam/base';
import type { DoctorReport, Finding } from '@loam/contracts';

import { skipped, unknown, type AnyCheck, type Verdict } from './check.ts';
import type { DoctorHost } from './doctor-host.ts';

export interface Examination {
  readonly checks: readonly AnyCheck[];
  /** Ids of checks that were asked for by name: these alone are made, also what is not made otherwise. */
  readonly only?: readonly string[];
  readonly version: string;
  readonly platform: string;
  /** Told when a check has come to its end. */
  readonly onFinding?: (finding: Finding, done: number, total: number) => void;
}

const timeLimitMsDefault = 20_000;
const textMax = 8_000;

/**
 * Makes all checks side by side. None can hold up or break another: one that takes too long, or throws, is a finding whose
 * status is unknown. Worst first, then in the order of the list.
 */
export async function examine(host: DoctorHost, options: Examination): Promise<DoctorReport> {
  const { clock } = host;
  const at = clock.now();
  const startedAt = clock.monotonic();
  const checks = checksFor(host, options);
  let done = 0;
  const findings = await Promise.all(
    checks.map(async (check) => {
      const finding = toFinding(check, await verdictOf(check, host));
      done += 1;
      options.onFinding?.(finding, done, checks.length);
      return finding;
    }),
  );
  return {
    at,
    durationMs: clock.monotonic() - startedAt,
    version: options.version,
    platform: options.platform,
    findings: findings.toSorted((a, b) => rank[a.status] - rank[b.status]),
  };
}

/** The checks that an examination makes: those for this platform, and of these the ones that were asked for. */
export function checksFor(host: DoctorHost, { checks, only }: Pick<Examination, 'checks' | 'only'>): AnyCheck[] {
  const here = checks.filter((check) => check.only === undefined || check.only === host.os);
  return here.filter((check) => (only === undefined ? check.onRequest !== true : only.includes(check.id)));
}

const rank: Record<Finding['status'], number> = { problem: 0, warning: 1, unknown: 2, ok: 3, skipped: 4 };

async function verdictOf(check: AnyCheck, host: DoctorHost): Promise<Verdict> {
  const limitMs = check.timeLimitMs ?? timeLimitMsDefault;
  const meaning = 'It is not known whether this is as it should be.';
  try {
    return await withinTime(check.examine(host), limitMs, host.clock, () =>
      unknown(`Nothing came of it within ${limitMs / 1000} s.`, meaning, 'Look whether the host is overloaded.'),
    );
  } catch (error) {
    if (isContainerdAway(error)) return skipped('containerd does not answer; see containerd.reachable.', meaning);
    if (isLoamError(error, 'agent.not-enrolled')) {
      return skipped('This agent belongs to no farm yet.', 'It builds by itself: `loam-agent build`.');
    }
    const known = toLoamError(error);
    const evidence = isLoamError(error) ? [known.message, known.internal].filter(Boolean).join(' ') : String(error);
    return unknown(evidence, meaning, isLoamError(error) ? known.remedy : null);
  }
}

/** The time runs also when the work never settles. */
function withinTime<T>(work: Promise<T>, limitMs: number, clock: Clock, late: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(limitMs, () => resolve(late()), { keepAlive: true });
    work.then(resolve, reject).finally(cancel);
  });
}

export function isContainerdAway(error: unknown): boolean {
  return isLoamError(
    error,
    'containerd.unavailable',
    'containerd.deadline-exceeded',
    'containerd.permission-denied',
    'containerd.bad-address',
    'agent.containerd-missing',
    'agent.containerd-not-started',
    'agent.needs-root',
  );
}

function toFinding({ id, title }: AnyCheck, verdict: Verdict): Finding {
  const cut = (text: string): string => (text.length > textMax ? `${text.slice(0, textMax - 1)}…` : text);
  const { status, evidence, meaning, remedy, fixable } = verdict;
  return {
    id,
    title,
    status,
    evidence: cut(evidence),
    meaning: cut(meaning),
    remedy: remedy === null ? null : cut(remedy),
    fixable,
  };
}
