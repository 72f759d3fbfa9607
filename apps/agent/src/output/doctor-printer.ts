import type { DoctorReport, Finding } from '@loam/contracts';

import { formatDuration, type Style } from './style.ts';

const headings: readonly (readonly [Finding['status'], string])[] = [
  ['problem', 'Problems'],
  ['warning', 'Warnings'],
  ['unknown', 'Not known'],
  ['ok', 'In order'],
  ['skipped', 'Not looked at'],
];

/** For people: findings by status, worst first; what is in order takes one line. */
export function printReport(report: DoctorReport, style: Style): string {
  const lines: string[] = [];
  for (const [status, heading] of headings) {
    const findings = report.findings.filter((finding) => finding.status === status);
    if (findings.length === 0) continue;
    lines.push(style.bold(heading));
    for (const finding of findings) lines.push(...linesOf(finding, style));
    lines.push('');
  }
  lines.push(`${summary(report)} in ${formatDuration(report.durationMs)}`);
  return `${lines.join('\n')}\n`;
}

function linesOf({ id, title, status, evidence, meaning, remedy, fixable }: Finding, style: Style): string[] {
  const paint = { problem: style.red, warning: style.cyan, unknown: style.cyan, ok: style.green, skipped: style.dim };
  const head = `  ${paint[status](id)} ${style.dim('–')} ${title}`;
  if (status === 'ok' || status === 'skipped') return [`${head}: ${style.dim(evidence)}`];
  const fix = fixable ? style.dim(' (--fix does it)') : '';
  return [head, `      ${evidence}`, `      ${meaning}`, ...(remedy === null ? [] : [`      → ${remedy}${fix}`])];
}

function summary({ findings }: DoctorReport): string {
  const count = (status: Finding['status']): number => findings.filter((finding) => finding.status === status).length;
  const parts = (['problem', 'warning', 'unknown'] as const).map((status) => [count(status), status] as const);
  const named = parts.filter(([number]) => number > 0).map(([number, status]) => `${number} ${status}`);
  return named.length === 0 ? 'All in order' : named.join(', ');
}
