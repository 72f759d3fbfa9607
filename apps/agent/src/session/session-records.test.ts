import { readdirSync } from 'node:fs';

import type { NumberedRecord } from '@loam/contracts';
import { describe, expect, test } from 'vitest';

import { logRecord, offerOf, records, seqs, useSessionWorld } from '../testing/session-world.ts';

const world = useSessionWorld();

describe('records', () => {
  test('go again from the acknowledged number on after the link was cut, and only from there', async () => {
    const link = await world.linked();
    link.send({ type: 'offer', offer: offerOf('att_a') });
    await link.next('accepted');
    const work = world.agent.of('att_a');
    for (let index = 0; index < 5; index += 1) work.write(logRecord(index, 'x'));
    await records(link, 5);
    link.cut();
    await link.closed;
    work.write(logRecord(5, 'x'));
    const again = await world.nextLink();
    const hello = await again.greet([{ attemptId: 'att_a', ackedSeq: 3, live: true }]);
    expect(hello.attempts).toEqual([{ attemptId: 'att_a', fence: 1, running: true, lastSeq: 6 }]);
    expect(seqs(await records(again, 3))).toEqual([4, 5, 6]);
  });

  test('wait when the API does not acknowledge, and go on when it does', async () => {
    const link = await world.linked();
    link.send({ type: 'offer', offer: offerOf('att_a') });
    await link.next('accepted');
    const work = world.agent.of('att_a');
    for (let index = 0; index < 20_000; index += 1) work.write(logRecord(index, 'x'));
    const first = await records(link, 4096);
    expect(first.length).toBeLessThan(10_000);
    const rest: NumberedRecord[] = [];
    while (first.length + rest.length < 20_000) {
      link.send({ type: 'ack', attemptId: 'att_a', seq: first.length + rest.length });
      rest.push(...(await records(link, 1)));
    }
    expect(seqs([...first, ...rest])).toEqual(Array.from({ length: 20_000 }, (_, index) => index + 1));
  });

  test('are dropped with the whole journal when the last one is acknowledged', async () => {
    const link = await world.linked();
    link.send({ type: 'offer', offer: offerOf('att_a') });
    await link.next('accepted');
    world.agent.of('att_a').end();
    await records(link, 1);
    link.send({ type: 'ack', attemptId: 'att_a', seq: 1 });
    link.send({ type: 'plan', requestId: 'r', spec: '', context: null, refresh: false });
    await link.next('planned');
    expect(readdirSync(world.home)).toEqual(['reserve']);
  });
});

describe('after a kill', () => {
  test('an attempt that the API still counts on is resumed under its fence, and numbering goes on', async () => {
    const link = await world.linked();
    link.send({ type: 'offer', offer: offerOf('att_a', 9) });
    await link.next('accepted');
    world.agent.of('att_a').write(logRecord(0, 'x'));
    await records(link, 1);
    world.agent.kill();

    world.start();
    const again = await world.api.link();
    const hello = await again.greet([{ attemptId: 'att_a', ackedSeq: 1, live: true }]);
    expect(hello.attempts).toEqual([{ attemptId: 'att_a', fence: 9, running: true, lastSeq: 1 }]);
    await again.next('inventory');
    world.agent.of('att_a').end();
    const message = await again.next('records');
    expect([message.fence, seqs(message.records)]).toEqual([9, [2]]);
  });

  test('an attempt that the API has given to somebody else is dropped without being run', async () => {
    const link = await world.linked();
    link.send({ type: 'offer', offer: offerOf('att_a') });
    await link.next('accepted');
    world.agent.kill();

    world.start();
    const again = await world.api.link();
    await again.greet([{ attemptId: 'att_a', ackedSeq: 0, live: false }]);
    await again.next('inventory');
    expect(world.agent.work.size).toBe(0);
    expect(readdirSync(world.home)).toEqual(['reserve']);
  });

  test('an attempt that is to be resumed takes its slot before the API has said so', async () => {
    const link = await world.linked();
    link.send({ type: 'offer', offer: offerOf('att_a') });
    await link.next('accepted');
    world.agent.kill();

    world.start();
    const again = await world.api.link();
    await again.greet([{ attemptId: 'att_a', ackedSeq: 0, live: true }]);
    again.send({ type: 'offer', offer: offerOf('att_b') });
    expect(await again.next('rejected')).toMatchObject({ reason: 'no free slot' });
  });
});
