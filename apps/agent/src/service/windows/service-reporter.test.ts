import { TestClock } from '@loam/base';
import { expect, it } from 'vitest';

import { ServiceReporter } from './service-reporter.ts';
import type { ReportedStatus } from './service-status.ts';

function reporter() {
  const clock = new TestClock();
  const reports: ReportedStatus[] = [];
  return { clock, reports, reporter: new ServiceReporter((status) => reports.push(status), clock) };
}
const brief = ({ state, checkpoint, exitCode }: ReportedStatus): string =>
  [state, checkpoint, exitCode].filter((part) => part !== undefined).join(' ');

it('a long start and a long stop are reported again and again, with checkpoints that count up', async () => {
  const { clock, reports, reporter: service } = reporter();
  service.starting();
  await clock.advance(2_500);
  service.running();
  await clock.advance(60_000);
  service.stopping();
  await clock.advance(1_000);
  service.stopped(0);
  await clock.advance(60_000);
  expect(reports.map(brief)).toEqual([
    'startPending 1',
    'startPending 2',
    'startPending 3',
    'running',
    'stopPending 1',
    'stopPending 2',
    'stopped 0',
  ]);
});

it('each report is due well after the next one comes', async () => {
  const { clock, reports, reporter: service } = reporter();
  service.starting();
  await clock.advance(5_000);
  for (const report of reports) expect(report.waitHintMs).toBeGreaterThan(5_000);
});

it('a stop during the start is not taken back by the end of the start, and a second stop does not count anew', async () => {
  const { clock, reports, reporter: service } = reporter();
  service.starting();
  service.stopping();
  await clock.advance(1_000);
  service.running();
  service.stopping();
  expect(reports.map(brief)).toEqual(['startPending 1', 'stopPending 1', 'stopPending 2']);
});

it('a question gets the same answer as before', () => {
  const { reports, reporter: service } = reporter();
  service.starting();
  service.running();
  service.again();
  expect(reports.map(brief)).toEqual(['startPending 1', 'running', 'running']);
});
