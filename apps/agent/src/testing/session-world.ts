import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { TestClock } from '@loam/base';
import type { AgentFacts, NumberedRecord, Offer } from '@loam/contracts';
import { afterEach, beforeEach } from 'vitest';

import { Attempts } from '../attempt/attempts.ts';
import type { AttemptJournal } from '../journal/attempt-journal.ts';
import { Journals } from '../journal/journals.ts';
import type { JournalRecord } from '../journal/record.ts';
import { silentLog } from '../log.ts';
import { Backoff } from '../session/backoff.ts';
import { webSocketLinks } from '../session/link.ts';
import { Session, type Answers } from '../session/session.ts';
import { startScriptedApi, type ScriptedApi, type ScriptedLink } from './scripted-api.ts';

export const facts: AgentFacts = {
  version: '0',
  hostname: 'host',
  platform: 'linux/amd64',
  containerd: '1.6.20',
  cpus: 2,
  memoryBytes: 1,
  diskTotalBytes: 1,
  diskFreeBytes: 1,
};

export const answers: Answers = {
  plan: async ({ requestId }) => ({ type: 'planned', requestId, steps: [] }),
  remove: async ({ requestId, steps }) => ({ type: 'removed', requestId, steps }),
  describe: async ({ requestId }) => ({ type: 'described', requestId, steps: [] }),
  inventory: async () => [],
  facts: async () => facts,
};

export function offerOf(attemptId: string, fence = 1): Offer {
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

export function logRecord(offset: number, text: string): JournalRecord {
  return { type: 'log', at: 1, stepRunId: 'run_a', stream: 'stdout', offset, bytes: Buffer.from(text) };
}

/** One attempt whose work the test does itself. */
interface Work {
  readonly journal: AttemptJournal;
  write(record: JournalRecord): void;
  end(): void;
  readonly signals: string[];
}

interface AgentOptions {
  readonly slots?: number;
  readonly answers?: Partial<Answers>;
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

  constructor(home: string, api: ScriptedApi, options: AgentOptions) {
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

/** An agent, which may come in several lives, and the API’s end of its links. */
class SessionWorld {
  home!: string;
  api!: ScriptedApi;
  /** Of the latest life. */
  agent!: TestAgent;

  async open(): Promise<void> {
    this.home = mkdtempSync(join(tmpdir(), 'loam-session-'));
    this.api = await startScriptedApi();
  }

  async close(): Promise<void> {
    this.agent.session.stop();
    await this.api.close();
    rmSync(this.home, { recursive: true, force: true });
  }

  /** The first life of the agent, or another one on the same journals. */
  start(options: AgentOptions = {}): void {
    this.agent = new TestAgent(this.home, this.api, options);
  }

  /** A new life of the agent, and its first link after the greeting. */
  async linked(options: AgentOptions = {}): Promise<ScriptedLink> {
    this.start(options);
    const link = await this.api.link();
    await link.greet();
    return link;
  }

  /** Lets the clock run until the agent opens its next link. */
  async nextLink(): Promise<ScriptedLink> {
    let link: ScriptedLink | undefined;
    void this.api.link().then((opened) => (link = opened));
    while (!link) {
      await this.agent.clock.advance(500);
      // Sockets need a turn of the real event loop.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return link;
  }
}

/** Made anew for each test of the file that calls it. */
export function useSessionWorld(): SessionWorld {
  const world = new SessionWorld();
  beforeEach(() => world.open());
  afterEach(() => world.close());
  return world;
}

/** Reads `records` messages until `count` records came. */
export async function records(link: ScriptedLink, count: number): Promise<NumberedRecord[]> {
  const all: NumberedRecord[] = [];
  while (all.length < count) all.push(...(await link.next('records')).records);
  return all;
}

export const seqs = (list: readonly NumberedRecord[]): number[] => list.map((record) => record.seq);
