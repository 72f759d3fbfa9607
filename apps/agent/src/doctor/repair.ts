import { isLoamError } from '@loam/base';
import type { DoctorReport } from '@loam/contracts';

import type { AnyCheck } from './check.ts';
import type { DoctorHost } from './doctor-host.ts';

/** What was done about a finding. */
export interface Repair {
  readonly id: string;
  readonly ok: boolean;
  /** What was done, or why it could not be. */
  readonly what: string;
}

/**
 * Puts right what a report calls fixable, one after the other. Only while no agent runs: what is in use cannot be told from
 * what was left behind.
 */
export async function repair(
  host: DoctorHost,
  report: DoctorReport,
  checks: readonly AnyCheck[],
  onRepair: (repair: Repair) => void = () => undefined,
): Promise<Repair[]> {
  const repairs: Repair[] = [];
  for (const finding of report.findings.filter(({ fixable }) => fixable)) {
    const check = checks.find(({ id }) => id === finding.id);
    if (check?.repair === undefined) continue;
    const made = await attempt(check, host);
    repairs.push(made);
    onRepair(made);
  }
  return repairs;
}

async function attempt(check: AnyCheck, host: DoctorHost): Promise<Repair> {
  const { id } = check;
  if (host.agent.kind !== 'nobody') {
    return { id, ok: false, what: 'An agent uses this state directory: stop it first.' };
  }
  try {
    return { id, ok: true, what: (await check.repair?.(host)) ?? '' };
  } catch (error) {
    // Of another error its own words say most; who repairs a host may read them.
    return { id, ok: false, what: isLoamError(error) ? `${error.message} ${error.remedy}` : String(error) };
  }
}
