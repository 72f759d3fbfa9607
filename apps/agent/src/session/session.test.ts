import type { ApiMessage, DoctorReport } from '@loam/contracts';
import { describe, expect, test } from 'vitest';

import type { ScriptedLink } from '../testing/scripted-api.ts';
import { answers, facts, offerOf, useSessionWorld } from '../testing/session-world.ts';

const world = useSessionWorld();

describe('the link', () => {
  test('is opened with the credential and begins with hello', async () => {
    world.start({ slots: 3 });
    const link = await world.api.link();
    expect(link.authorization).toBe('Bearer secret-credential');
    expect(await link.greet()).toEqual({
      type: 'hello',
      protocol: 1,
      bootId: 'boot-1',
      facts,
      slots: 3,
      attempts: [],
    });
    expect(await link.next('inventory')).toEqual({ type: 'inventory', steps: [] });
  });

  test('beats at the pace that the API names', async () => {
    const link = await world.linked();
    await link.next('inventory');
    await world.agent.clock.advance(10_000);
    expect(await link.next('heartbeat')).toEqual({ type: 'heartbeat', facts, running: 0 });
  });

  test('outlives a containerd that does not answer: facts are asked for again by the next one, an inventory on the same', async () => {
    const failOnce = <T>(then: () => Promise<T>) => {
      let fails = true;
      return async (): Promise<T> => {
        if (!fails) return await then();
        fails = false;
        throw new Error('containerd does not answer');
      };
    };
    world.start({
      answers: { facts: failOnce(answers.facts), inventory: failOnce(answers.inventory) },
    });
    await (
      await world.api.link()
    ).closed;
    const link = await world.nextLink();
    await link.greet();
    link.send({ type: 'offer', offer: offerOf('att_a') });
    await link.next('accepted');
    await world.agent.clock.advance(10_000);
    expect(await link.next('inventory')).toEqual({ type: 'inventory', steps: [] });
  });

  test('is opened again after it was cut', async () => {
    const link = await world.linked();
    link.cut();
    const again = await world.nextLink();
    expect((await again.greet()).bootId).toBe('boot-1');
  });

  test('bears what a newer API says beyond what we understand, and goes on', async () => {
    const link = await world.linked();
    link.send({ type: 'foretell', requestId: 'r', steps: [] } as unknown as ApiMessage);
    link.send({ type: 'plan', requestId: 'r', spec: '', context: null, refresh: false });
    await link.next('planned');
  });

  test('is given up when nothing comes from the API any more', async () => {
    world.start();
    const link = await world.api.link();
    // No welcome: the API hangs.
    await link.next('hello');
    await world.agent.clock.advance(15_000);
    await link.closed;
    await (await world.nextLink()).greet();
  });
});

describe('the doctor', () => {
  const report: DoctorReport = { at: 1, durationMs: 1, version: '0', platform: 'linux/amd64', findings: [] };
  const reportOn = async (link: ScriptedLink): Promise<DoctorReport> => (await link.next('doctor-report')).report;

  test('is asked by the API, and its report goes over the link', async () => {
    const link = await world.linked();
    link.send({ type: 'doctor' });
    link.send({ type: 'offer', offer: offerOf('att_a') });
    await link.next('accepted');
    expect(world.agent.doctor.asked).toBe(1);
    world.agent.session.report(report);
    expect(await reportOn(link)).toEqual(report);
  });

  test('reported while there was no link: the next link begins with it', async () => {
    const link = await world.linked();
    link.cut();
    await link.closed;
    world.agent.session.report(report);
    const again = await world.nextLink();
    await again.greet();
    expect(await reportOn(again)).toEqual(report);
  });

  test('says how long ago it began to look, so that an old report is not taken for a new one on a new link', async () => {
    const link = await world.linked();
    world.agent.session.report({ ...report, durationMs: 700 });
    expect(await link.next('doctor-report')).toMatchObject({ ageMs: 700 });
    await world.agent.clock.advance(5_000);
    const since = world.agent.clock.monotonic();
    link.cut();
    const again = await world.nextLink();
    await again.greet();
    expect(await again.next('doctor-report')).toMatchObject({ ageMs: 5_700 + world.agent.clock.monotonic() - since });
  });
});
