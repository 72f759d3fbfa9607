import type { DoctorReport, Finding } from '@loam/contracts';
import { expect, test } from 'vitest';

import { printReport } from './doctor-printer.ts';
import { styleFor } from './style.ts';

const finding = (id: string, status: Finding['status'], more: Partial<Finding> = {}): Finding => ({
  id,
  title: 'Title',
  status,
  evidence: 'Seen.',
  meaning: 'Means.',
  remedy: null,
  fixable: false,
  ...more,
});
const print = (...findings: Finding[]): string => {
  const report: DoctorReport = { at: 1, durationMs: 1200, version: '0', platform: 'p', findings };
  return printReport(report, styleFor(false));
};

test('the worst comes first and in full, what is in order takes a line', () => {
  const shown = print(
    finding('a.ok', 'ok'),
    finding('a.bad', 'problem', { remedy: 'Do this.' }),
    finding('a.left', 'warning', { remedy: 'Do that.', fixable: true }),
  );
  expect(shown).toBe(`Problems
  a.bad – Title
      Seen.
      Means.
      → Do this.

Warnings
  a.left – Title
      Seen.
      Means.
      → Do that. (--fix does it)

In order
  a.ok – Title: Seen.

1 problem, 1 warning in 1.2 s
`);
});

test('a host without faults is said to be in order', () => {
  expect(print(finding('a.ok', 'ok'), finding('a.not', 'skipped'))).toMatch(/\nAll in order in 1\.2 s\n$/);
});
