import { systemClock } from '@loam/base';
import type { Agent, DoctorReport, Finding } from '@loam/contracts';

import type { CliContext } from '../context.ts';
import { formatAge, formatBytes, formatTable } from '../output/format.ts';

const headings: readonly (readonly [Finding['status'], string])[] = [
  ['problem', 'Problems'],
  ['warning', 'Warnings'],
  ['unknown', 'Not known'],
];

/** An agent with what its doctor found: what needs somebody in full, the rest counted. */
export function formatAgent(agent: Agent, report: DoctorReport | null, cli: CliContext): string {
  const style = cli.style();
  const now = systemClock.now();
  const { facts } = agent;
  const rows = [
    ['agent', `${style.bold(agent.name)} (${agent.id})`],
    ['state', agent.reason === null ? agent.state : `${agent.state}: ${agent.reason}`],
    ['pool', agent.pool],
    ['slots', `${agent.running.length} of ${agent.slots} taken`],
    ['seen', agent.lastSeenAt === null ? 'never' : formatAge(agent.lastSeenAt, now)],
    ['snapshots', `${agent.snapshots}, ${formatBytes(agent.snapshotBytes)}`],
    ...(facts === null
      ? []
      : [
          ['host', `${facts.hostname}, ${facts.platform}, ${facts.cpus} CPUs, ${formatBytes(facts.memoryBytes)}`],
          ['versions', `agent ${facts.version}, containerd ${facts.containerd}`],
          ['disk', `${formatBytes(facts.diskFreeBytes)} free of ${formatBytes(facts.diskTotalBytes)}`],
        ]),
    ['health', report === null ? 'not examined yet' : `${summary(report)}, looked ${formatAge(report.at, now)}`],
  ];
  return formatTable(rows) + (report === null ? '' : formatFindings(report, cli));
}

function formatFindings(report: DoctorReport, cli: CliContext): string {
  const style = cli.style();
  const paint = { problem: style.red, warning: style.yellow, unknown: style.cyan, ok: style.green, skipped: style.dim };
  const lines: string[] = [];
  for (const [status, heading] of headings) {
    const findings = report.findings.filter((finding) => finding.status === status);
    if (findings.length > 0) lines.push('', style.bold(heading));
    for (const { id, title, evidence, meaning, remedy } of findings) {
      lines.push(`  ${paint[status](id)}  ${title}`, `    ${evidence}`, `    ${style.dim(meaning)}`);
      if (remedy !== null) lines.push(`    → ${remedy}`);
    }
  }
  return lines.map((line) => `${line}\n`).join('');
}

function summary({ findings }: DoctorReport): string {
  const parts = headings.map(([status]) => {
    const count = findings.filter((finding) => finding.status === status).length;
    return count === 0 ? '' : `${count} ${status}${count > 1 && status !== 'unknown' ? 's' : ''}`;
  });
  const named = parts.filter((part) => part !== '').join(', ');
  return `${named === '' ? 'all in order' : named} (${findings.length} checks)`;
}
