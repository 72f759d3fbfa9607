import { resolve } from 'node:path';

import { isLoamError, LoamError } from '@loam/base';
import type { DoctorReport } from '@loam/contracts';

import { allChecks } from '../doctor/checks/all-checks.ts';
import { examine } from '../doctor/examine.ts';
import { openDoctor } from '../doctor/open-doctor.ts';
import type { HostOptions } from '../host.ts';
import { repair } from '../doctor/repair.ts';
import { printReport } from '../output/doctor-printer.ts';
import { styleFor, wantsColour } from '../output/style.ts';
import { agentVersion } from '../version.ts';
import { hostOptions, type CommonOptions } from './options.ts';

export interface DoctorOptions extends CommonOptions {
  readonly json?: boolean;
  readonly fix?: boolean;
  readonly only: readonly string[];
}

/** `loam-agent doctor`: everything about this host that keeps builds from running, or will. */
export async function doctor(options: DoctorOptions): Promise<number> {
  const only = options.only.length === 0 ? {} : { only: options.only.map(knownId) };
  const opened = await openDoctor(settingsOf(options));
  const style = styleFor(wantsColour(process.stdout));
  const look = async (): Promise<DoctorReport> => {
    const progress = progressLine(options.json !== true);
    const platform = `${process.platform === 'win32' ? 'windows' : process.platform}/${process.arch}`;
    const shared = { checks: allChecks, version: agentVersion(), platform, ...only };
    const report = await examine(opened.host(), {
      ...shared,
      onFinding: (_, done, total) => progress.show(done, total),
    });
    progress.clear();
    return report;
  };
  try {
    let report = await look();
    const repairs = options.fix
      ? await repair(opened.host(), report, allChecks, ({ id, ok, what }) => {
          if (!options.json) process.stdout.write(`${ok ? style.green('done') : style.red('failed')} ${id}: ${what}\n`);
        })
      : [];
    if (repairs.length > 0) report = await look();
    else if (options.fix && !options.json) process.stdout.write('There is nothing that can be put right from here.\n');
    process.stdout.write(
      options.json
        ? `${JSON.stringify({ report, ...(options.fix ? { repairs } : {}) })}\n`
        : printReport(report, style),
    );
    return report.findings.some(({ status }) => status === 'problem') ? 1 : 0;
  } finally {
    await opened.close();
  }
}

/** A configuration that cannot be read is a finding, and must not keep the doctor from making it. */
function settingsOf(options: DoctorOptions): HostOptions {
  try {
    return hostOptions(options);
  } catch (error) {
    if (!isLoamError(error, 'agent.config-invalid')) throw error;
    const { containerd, namespace, keepContainerd = false } = options;
    return { stateDirectory: resolve(options.state), containerd, namespace, keepContainerd };
  }
}

function knownId(id: string): string {
  if (allChecks.some((check) => check.id === id)) return id;
  const reason = `there is no such check; there are ${[...new Set(allChecks.map((check) => check.id))].join(', ')}`;
  throw LoamError.of('agent.bad-argument', { option: '--only', value: id, reason });
}

/** How far it is, on a terminal; gone when there is something to read. */
function progressLine(wanted: boolean): { show(done: number, total: number): void; clear(): void } {
  const isShown = wanted && process.stderr.isTTY;
  return {
    show: (done, total) => void (isShown && process.stderr.write(`\r\u001B[Klooking: ${done} of ${total}`)),
    clear: () => void (isShown && process.stderr.write('\r\u001B[K')),
  };
}
