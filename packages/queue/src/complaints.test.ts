import { expect, test } from 'vitest';

import { TestClock } from '@loam/base';

import { Complaints } from './complaints.ts';

const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

test('what all connections say again and again is told once a minute, until the server is back', async () => {
  const clock = new TestClock();
  const lines: unknown[][] = [];
  const tell = (level: string) => (details: object, message: string) => lines.push([level, message, details]);
  const complaints = new Complaints(clock, { info: tell('info'), warn: tell('warn') });
  const listeners = [complaints.listener('queue of builds', { pool: 'p' }), complaints.listener('relay')];
  const secondsOfIt = async (seconds: number): Promise<unknown[][]> => {
    for (let second = 0; second < seconds; second++) {
      for (const listener of listeners) listener(refused);
      await clock.advance(1_000);
    }
    return lines.splice(0);
  };
  const first = ['warn', 'queue of builds', { err: refused, pool: 'p' }];
  expect(await secondsOfIt(60)).toEqual([first]);
  expect(await secondsOfIt(120)).toEqual(
    [1, 2].map(() => ['warn', 'queue of builds', { err: refused, pool: 'p', untold: 119 }]),
  );

  const other = new Error('something else');
  listeners[1]?.(other);
  expect(lines.splice(0)).toEqual([['warn', 'relay', { err: other }]]);

  complaints.end();
  expect(lines.splice(0)).toEqual([['info', 'the server of the queue is back', {}]]);
  expect(await secondsOfIt(1)).toEqual([first]);
});
