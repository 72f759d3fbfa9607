import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { TestClock } from '@loam/base';
import type { AgentFacts, ApiMessage, DoctorReport, NumberedRecord, Offer } from '@loam/contracts';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { Attempts } from '../attempt/attempts.ts';
import type { AttemptJournal } from '../journal/attempt-journal.ts';
import { Journals } from '../journal/journals.ts';
import type { JournalRecord } from '../journal/record.ts';
import { silentLog } from '../log.ts';
import { startScriptedApi, type ScriptedApi, type ScriptedLink } from '../testing/scripted-api.ts';
import { Backoff } from './backoff.ts';
import { webSocketLinks } from './link.ts';
import { Session, type Answers } from './session.ts';

const facts: AgentFacts = {
  version: '0',
  hostname: 'host',
  platform: 'linux/amd64',
  containerd: '1.6.20',
  cpus: 2,
  memoryBytes: 1,
  diskTotalBytes: 1,
  diskFreeBytes: 1,
};

const answers: Answers = {
  plan: async ({ requestId }) => ({ type: 'planned', requestId, steps: [] }),
  remove: async ({ requestId, steps }) => ({ type: 'removed', requestId, steps }),
  describe: async ({ requestId }) => ({ type: 'described', requestId, steps: [] }),
  inventory: async () => [],
  facts: async () => facts,
};

function offerOf(attemptId: string, fence = 1): Offer {
  return {
    attemptId,
    fence,
    buildId: 'bld_one',
    spec: '((from busybox))',
    context: null,
    secretIds: [],
    timeoutMs: null,
    limits: {},
    refresh: false,
  };
}

function logRecord(offset: number, text: string): JournalRecord {
  return { type: 'log', at: 1, stepRunId: 'run_a', stream: 'stdout', offset, bytes: Buffer.from(text) };
}

/** One attempt whose work the test does itself. */
interface Work {
  readonly journal: AttemptJournal;
  write(record: JournalRecord): void;
  end(): void;
  readonly signals: string[];
}

/** An agent without engine and containers. */
class TestAgent {
  readonly clock = new TestClock();
  readonly journals: Journals;
  readonly attempts: Attempts;
  readonly session: Session;
  readonly work = new Map<string, Work>();
  readonly doctor = {
    asked: 0,
    request: () => void this.doctor.asked++,
  };

  constructor(home: string, api: ScriptedApi, options: { slots?: number; answers?: Partial<Answers> } = {}) {
    const slots = options.slots ?? 1;
    this.journals = new Journals(home);
    this.attempts = new Attempts({
      journals: this.journals,
      slots,
      clock: this.clock,
      log: silentLog,
      run: (journal, onRecord) => {
        const signals: string[] = [];
        const { promise, resolve } = Promise.withResolvers<void>();
        const write = (record: JournalRecord): void => {
          journal.append(record);
          onRecord(record);
        };
        const end = (): void => {
          write({ type: 'attempt-ended', at: 1, outcome: 'succeeded', result: null, error: null });
          resolve();
        };
        this.work.set(journal.attemptId, { journal, write, end, signals });
        return {
          ended: promise,
          cancel: () => void signals.push('cancel'),
          abandon() {
            signals.push('abandon');
            resolve();
          },
        };
      },
    });
    this.session = new Session({
      openLink: webSocketLinks(api.url, 'secret-credential'),
      bootId: 'boot-1',
      slots,
      attempts: this.attempts,
      answers: { ...answers, ...options.answers },
      doctor: this.doctor,
      clock: this.clock,
      backoff: new Backoff({ firstMs: 1000, maxMs: 30_000, random: () => 0.5 }),
      log: silentLog,
    });
    this.session.start();
  }

  of(attemptId: string): Work {
    const work = this.work.get(attemptId);
    if (!work) throw new Error(`${attemptId} does not run`);
    return work;
  }

  /** What a kill -9 leaves: no goodbye, journals as they are on disk. */
  kill(): void {
    this.session.stop();
    this.journals.close();
  }
}

let home: string;
let api: ScriptedApi;
let agent: TestAgent;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'loam-session-'));
  api = await startScriptedApi();
});
afterEach(async () => {
  agent.session.stop();
  await api.close();
  rmSync(home, { recursive: true, force: true });
});

/** Reads `records` messages until `count` records came. */
async function records(link: ScriptedLink, count: number): Promise<NumberedRecord[]> {
  const all: NumberedRecord[] = [];
  while (all.length < count) all.push(...(await link.next('records')).records);
  return all;
}

const seqs = (list: readonly NumberedRecord[]): number[] => list.map((record) => record.seq);

/** Lets the clock run until the agent opens its next link. */
async function nextLink(): Promise<ScriptedLink> {
  let link: ScriptedLink | undefined;
  void api.link().then((opened) => (link = opened));
  while (!link) {
    await agent.clock.advance(500);
    // Sockets need a turn of the real event loop.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return link;
}

async function linked(options: { slots?: number } = {}): Promise<ScriptedLink> {
  agent = new TestAgent(home, api, options);
  const link = await api.link();
  await link.greet();
  return link;
}

describe('the link', () => {
  test('is opened with the credential and begins with hello', async () => {
    agent = new TestAgent(home, api, { slots: 3 });
    const link = await api.link();
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
    const link = await linked();
    await link.next('inventory');
    await agent.clock.advance(10_000);
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
    agent = new TestAgent(home, api, {
      answers: { facts: failOnce(answers.facts), inventory: failOnce(answers.inventory) },
    });
    await (
      await api.link()
    ).closed;
    const link = await nextLink();
    await link.greet();
    link.send({ type: 'offer', offer: offerOf('att_a') });
    await link.next('accepted');
    await agent.clock.advance(10_000);
    expect(await link.next('inventory')).toEqual({ type: 'inventory', steps: [] });
  });

  test('is opened again after it was cut', async () => {
    const link = await linked();
    link.cut();
    const again = await nextLink();
    expect((await again.greet()).bootId).toBe('boot-1');
  });

  test('bears what a newer API says beyond what we understand, and goes on', async () => {
    const link = await linked();
    link.send({ type: 'foretell', requestId: 'r', steps: [] } as unknown as ApiMessage);
    link.send({ type: 'plan', requestId: 'r', spec: '', context: null, refresh: false });
    await link.next('planned');
  });

  test('is given up when nothing comes from the API any more', async () => {
    agent = new TestAgent(home, api);
    const link = await api.link();
    // No welcome: the API hangs.
    await link.next('hello');
    await agent.clock.advance(15_000);
    await link.closed;
    await (await nextLink()).greet();
  });
});

describe('an offer', () => {
  test('is written down before it is accepted, and its records follow in order', async () => {
    const link = await linked();
    link.send({ type: 'offer', offer: offerOf('att_a', 5) });
    expect(await link.next('accepted')).toEqual({ type: 'accepted', attemptId: 'att_a', fence: 5 });
    expect(readdirSync(join(home, 'att_a'))).toContain('offer.json');
    const work = agent.of('att_a');
    work.write(logRecord(0, 'one'));
    work.write(logRecord(3, 'two'));
    const message = await link.next('records');
    expect([message.attemptId, message.fence, seqs(message.records)]).toEqual(['att_a', 5, [1, 2]]);
  });

  test('is rejected when all slots are taken, and accepted again when one is free', async () => {
    const link = await linked();
    link.send({ type: 'offer', offer: offerOf('att_a') });
    await link.next('accepted');
    link.send({ type: 'offer', offer: offerOf('att_b') });
    expect(await link.next('rejected')).toMatchObject({ attemptId: 'att_b', reason: 'no free slot' });
    agent.of('att_a').end();
    await link.next('records');
    link.send({ type: 'offer', offer: offerOf('att_b') });
    await link.next('accepted');
  });

  test('that comes twice is accepted twice and run once', async () => {
    const link = await linked();
    link.send({ type: 'offer', offer: offerOf('att_a') });
    await link.next('accepted');
    const work = agent.of('att_a');
    link.send({ type: 'offer', offer: offerOf('att_a') });
    await link.next('accepted');
    expect(agent.of('att_a')).toBe(work);
  });

  test('is rejected once a process would not die, on this link and on later ones', async () => {
    const link = await linked();
    agent.attempts.isolate('a process of the step could not be ended');
    expect(await link.next('quarantined')).toMatchObject({ reason: 'a process of the step could not be ended' });
    link.send({ type: 'offer', offer: offerOf('att_a') });
    await link.next('rejected');
    link.cut();
    const again = await nextLink();
    await again.greet();
    await again.next('quarantined');
  });
});

describe('records', () => {
  test('go again from the acknowledged number on after the link was cut, and only from there', async () => {
    const link = await linked();
    link.send({ type: 'offer', offer: offerOf('att_a') });
    await link.next('accepted');
    const work = agent.of('att_a');
    for (let index = 0; index < 5; index += 1) work.write(logRecord(index, 'x'));
    await records(link, 5);
    link.cut();
    await link.closed;
    work.write(logRecord(5, 'x'));
    const again = await nextLink();
    const hello = await again.greet([{ attemptId: 'att_a', ackedSeq: 3, live: true }]);
    expect(hello.attempts).toEqual([{ attemptId: 'att_a', fence: 1, running: true, lastSeq: 6 }]);
    expect(seqs(await records(again, 3))).toEqual([4, 5, 6]);
  });

  test('wait when the API does not acknowledge, and go on when it does', async () => {
    const link = await linked();
    link.send({ type: 'offer', offer: offerOf('att_a') });
    await link.next('accepted');
    const work = agent.of('att_a');
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
    const link = await linked();
    link.send({ type: 'offer', offer: offerOf('att_a') });
    await link.next('accepted');
    agent.of('att_a').end();
    await records(link, 1);
    link.send({ type: 'ack', attemptId: 'att_a', seq: 1 });
    link.send({ type: 'plan', requestId: 'r', spec: '', context: null, refresh: false });
    await link.next('planned');
    expect(readdirSync(home)).toEqual(['reserve']);
  });
});

describe('the right to write', () => {
  test('lost: the work is abandoned and the journal dropped', async () => {
    const link = await linked();
    link.send({ type: 'offer', offer: offerOf('att_a') });
    await link.next('accepted');
    const work = agent.of('att_a');
    link.send({ type: 'stale', attemptId: 'att_a' });
    link.send({ type: 'plan', requestId: 'r', spec: '', context: null, refresh: false });
    await link.next('planned');
    expect(work.signals).toEqual(['abandon']);
    expect(readdirSync(home)).toEqual(['reserve']);
  });

  test('cancelled: the work is told so, and its end is still reported', async () => {
    const link = await linked();
    link.send({ type: 'offer', offer: offerOf('att_a') });
    await link.next('accepted');
    link.send({ type: 'cancel', attemptId: 'att_a', reason: 'user' });
    link.send({ type: 'plan', requestId: 'r', spec: '', context: null, refresh: false });
    await link.next('planned');
    expect(agent.of('att_a').signals).toEqual(['cancel']);
    agent.of('att_a').end();
    await records(link, 1);
  });
});

describe('after a kill', () => {
  test('an attempt that the API still counts on is resumed under its fence, and numbering goes on', async () => {
    const link = await linked();
    link.send({ type: 'offer', offer: offerOf('att_a', 9) });
    await link.next('accepted');
    agent.of('att_a').write(logRecord(0, 'x'));
    await records(link, 1);
    agent.kill();

    agent = new TestAgent(home, api);
    const again = await api.link();
    const hello = await again.greet([{ attemptId: 'att_a', ackedSeq: 1, live: true }]);
    expect(hello.attempts).toEqual([{ attemptId: 'att_a', fence: 9, running: true, lastSeq: 1 }]);
    await again.next('inventory');
    agent.of('att_a').end();
    const message = await again.next('records');
    expect([message.fence, seqs(message.records)]).toEqual([9, [2]]);
  });

  test('an attempt that the API has given to somebody else is dropped without being run', async () => {
    const link = await linked();
    link.send({ type: 'offer', offer: offerOf('att_a') });
    await link.next('accepted');
    agent.kill();

    agent = new TestAgent(home, api);
    const again = await api.link();
    await again.greet([{ attemptId: 'att_a', ackedSeq: 0, live: false }]);
    await again.next('inventory');
    expect(agent.work.size).toBe(0);
    expect(readdirSync(home)).toEqual(['reserve']);
  });

  test('an attempt that is to be resumed takes its slot before the API has said so', async () => {
    const link = await linked();
    link.send({ type: 'offer', offer: offerOf('att_a') });
    await link.next('accepted');
    agent.kill();

    agent = new TestAgent(home, api);
    const again = await api.link();
    await again.greet([{ attemptId: 'att_a', ackedSeq: 0, live: true }]);
    again.send({ type: 'offer', offer: offerOf('att_b') });
    expect(await again.next('rejected')).toMatchObject({ reason: 'no free slot' });
  });
});

describe('the doctor', () => {
  const report: DoctorReport = { at: 1, durationMs: 1, version: '0', platform: 'linux/amd64', findings: [] };
  const reportOn = async (link: ScriptedLink): Promise<DoctorReport> => (await link.next('doctor-report')).report;

  test('is asked by the API, and its report goes over the link', async () => {
    const link = await linked();
    link.send({ type: 'doctor' });
    link.send({ type: 'offer', offer: offerOf('att_a') });
    await link.next('accepted');
    expect(agent.doctor.asked).toBe(1);
    agent.session.report(report);
    expect(await reportOn(link)).toEqual(report);
  });

  test('reported while there was no link: the next link begins with it', async () => {
    const link = await linked();
    link.cut();
    await link.closed;
    agent.session.report(report);
    const again = await nextLink();
    await again.greet();
    expect(await reportOn(again)).toEqual(report);
  });

  test('says how long ago it began to look, so that an old report is not taken for a new one on a new link', async () => {
    const link = await linked();
    agent.session.report({ ...report, durationMs: 700 });
    expect(await link.next('doctor-report')).toMatchObject({ ageMs: 700 });
    await agent.clock.advance(5_000);
    const since = agent.clock.monotonic();
    link.cut();
    const again = await nextLink();
    await again.greet();
    expect(await again.next('doctor-report')).toMatchObject({ ageMs: 5_700 + agent.clock.monotonic() - since });
  });
});

describe('a graceful stop', () => {
  test('lets what runs end, and leaves what does not to be resumed', async () => {
    const link = await linked({ slots: 2 });
    for (const attemptId of ['att_a', 'att_b']) {
      link.send({ type: 'offer', offer: offerOf(attemptId) });
      await link.next('accepted');
    }
    const stopped = agent.attempts.stop(5000);
    link.send({ type: 'offer', offer: offerOf('att_c') });
    expect(await link.next('rejected')).toMatchObject({ reason: 'the agent is stopping' });
    agent.of('att_a').end();
    await agent.clock.advance(5000);
    await stopped;
    expect(agent.of('att_a').signals).toEqual([]);
    expect(agent.of('att_b').signals).toEqual(['abandon']);
    expect(readdirSync(home).toSorted()).toEqual(['att_a', 'att_b', 'reserve']);
  });
});
