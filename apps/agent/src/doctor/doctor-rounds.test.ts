import { TestClock } from '@loam/base';
import type { DoctorReport } from '@loam/contracts';
import { beforeEach, describe, expect, it } from 'vitest';

import { silentLog } from '../log.ts';
import { DoctorRounds } from './doctor-rounds.ts';

let clock: TestClock;
let looks: PromiseWithResolvers<DoctorReport>[];
let reports: number[];
let rounds: DoctorRounds;

const reportAt = (at: number): DoctorReport => ({
  at,
  durationMs: 1,
  version: '0',
  platform: 'linux/amd64',
  findings: [],
});
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

beforeEach(() => {
  clock = new TestClock();
  looks = [];
  reports = [];
  rounds = new DoctorRounds({
    examine() {
      const look = Promise.withResolvers<DoctorReport>();
      looks.push(look);
      return look.promise;
    },
    onReport: ({ at }) => reports.push(at),
    everyMs: 1000,
    clock,
    log: silentLog,
  });
});

describe('the doctor of an agent that runs', () => {
  it('looks again when the time has come', async () => {
    rounds.request();
    looks[0]?.resolve(reportAt(1));
    await turn();
    await clock.advance(999);
    expect(looks).toHaveLength(1);
    await clock.advance(1);
    expect(looks).toHaveLength(2);
    looks[1]?.resolve(reportAt(2));
    await turn();
    expect(reports).toEqual([1, 2]);
  });

  it('that is asked in the middle of a look looks once more, and no more often', async () => {
    rounds.request();
    rounds.request();
    rounds.request();
    expect(looks).toHaveLength(1);
    looks[0]?.resolve(reportAt(1));
    await turn();
    expect(looks).toHaveLength(2);
    looks[1]?.resolve(reportAt(2));
    await turn();
    expect(looks).toHaveLength(2);
  });

  it('that failed looks again in its turn', async () => {
    rounds.request();
    looks[0]?.reject(new Error('no luck'));
    await turn();
    expect(reports).toEqual([]);
    await clock.advance(1000);
    expect(looks).toHaveLength(2);
  });

  it('that was stopped tells nothing and looks no more', async () => {
    rounds.request();
    rounds.stop();
    looks[0]?.resolve(reportAt(1));
    await turn();
    await clock.advance(5000);
    rounds.request();
    expect([reports, looks.length]).toEqual([[], 1]);
  });
});
