import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { logRecord, offerOf, records, seqs, useSessionWorld } from '../testing/session-world.ts';

const world = useSessionWorld();

describe('an offer', () => {
  test('is written down before it is accepted, and its records follow in order', async () => {
    const link = await world.linked();
    link.send({ type: 'offer', offer: offerOf('att_a', 5) });
    expect(await link.next('accepted')).toEqual({ type: 'accepted', attemptId: 'att_a', fence: 5 });
    expect(readdirSync(join(world.home, 'att_a'))).toContain('offer.json');
    const work = world.agent.of('att_a');
    work.write(logRecord(0, 'one'));
    work.write(logRecord(3, 'two'));
    const message = await link.next('records');
    expect([message.attemptId, message.fence, seqs(message.records)]).toEqual(['att_a', 5, [1, 2]]);
  });

  test('is rejected when all slots are taken, and accepted again when one is free', async () => {
    const link = await world.linked();
    link.send({ type: 'offer', offer: offerOf('att_a') });
    await link.next('accepted');
    link.send({ type: 'offer', offer: offerOf('att_b') });
    expect(await link.next('rejected')).toMatchObject({ attemptId: 'att_b', reason: 'no free slot' });
    world.agent.of('att_a').end();
    await link.next('records');
    link.send({ type: 'offer', offer: offerOf('att_b') });
    await link.next('accepted');
  });

  test('that comes twice is accepted twice and run once', async () => {
    const link = await world.linked();
    link.send({ type: 'offer', offer: offerOf('att_a') });
    await link.next('accepted');
    const work = world.agent.of('att_a');
    link.send({ type: 'offer', offer: offerOf('att_a') });
    await link.next('accepted');
    expect(world.agent.of('att_a')).toBe(work);
  });

  test('is rejected once a process would not die, on this link and on later ones', async () => {
    const link = await world.linked();
    world.agent.attempts.isolate('a process of the step could not be ended');
    expect(await link.next('quarantined')).toMatchObject({ reason: 'a process of the step could not be ended' });
    link.send({ type: 'offer', offer: offerOf('att_a') });
    await link.next('rejected');
    link.cut();
    const again = await world.nextLink();
    await again.greet();
    await again.next('quarantined');
  });
});

describe('the right to write', () => {
  test('lost: the work is abandoned and the journal dropped', async () => {
    const link = await world.linked();
    link.send({ type: 'offer', offer: offerOf('att_a') });
    await link.next('accepted');
    const work = world.agent.of('att_a');
    link.send({ type: 'stale', attemptId: 'att_a' });
    link.send({ type: 'plan', requestId: 'r', spec: '', context: null, refresh: false });
    await link.next('planned');
    expect(work.signals).toEqual(['abandon']);
    expect(readdirSync(world.home)).toEqual(['reserve']);
  });

  test('cancelled: the work is told so, and its end is still reported', async () => {
    const link = await world.linked();
    link.send({ type: 'offer', offer: offerOf('att_a') });
    await link.next('accepted');
    link.send({ type: 'cancel', attemptId: 'att_a', reason: 'user' });
    link.send({ type: 'plan', requestId: 'r', spec: '', context: null, refresh: false });
    await link.next('planned');
    expect(world.agent.of('att_a').signals).toEqual(['cancel']);
    world.agent.of('att_a').end();
    await records(link, 1);
  });
});

describe('a graceful stop', () => {
  test('lets what runs end, and leaves what does not to be resumed', async () => {
    const link = await world.linked({ slots: 2 });
    for (const attemptId of ['att_a', 'att_b']) {
      link.send({ type: 'offer', offer: offerOf(attemptId) });
      await link.next('accepted');
    }
    const stopped = world.agent.attempts.stop(5000);
    link.send({ type: 'offer', offer: offerOf('att_c') });
    expect(await link.next('rejected')).toMatchObject({ reason: 'the agent is stopping' });
    world.agent.of('att_a').end();
    await world.agent.clock.advance(5000);
    await stopped;
    expect(world.agent.of('att_a').signals).toEqual([]);
    expect(world.agent.of('att_b').signals).toEqual(['abandon']);
    expect(readdirSync(world.home).toSorted()).toEqual(['att_a', 'att_b', 'reserve']);
  });
});
