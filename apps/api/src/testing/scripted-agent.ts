import type { AgentMessage, ApiMessage, BuildRecord, DescribedStep, NumberedRecord, Offer } from '@loam/contracts';

/** What an agent of a test does with an offer; the records it returns are sent in order. */
export type Script = (offer: Offer, agent: ScriptedAgent) => BuildRecord[] | Promise<BuildRecord[]>;

export const facts = {
  version: '0.1.0',
  hostname: 'soil-1',
  platform: 'linux/amd64',
  containerd: '1.6.20',
  cpus: 2,
  memoryBytes: 4 * 1024 ** 3,
  diskTotalBytes: 100 * 1024 ** 3,
  diskFreeBytes: 50 * 1024 ** 3,
};

interface Journal {
  readonly offer: { attemptId: string; fence: number };
  records: NumberedRecord[];
  lastSeq: number;
  ackedSeq: number;
  running: boolean;
}

/**
 * A client of the agents' protocol that does what it is told. It keeps a journal in memory and, like an agent, sends again
 * after a reconnect what was not acknowledged.
 */
export class ScriptedAgent {
  readonly received: ApiMessage[] = [];
  readonly journals: Map<string, Journal> = new Map();
  script: Script | undefined;
  slots = 1;
  bootId = 'boot-1';
  reconnects = false;
  closeCode: number | undefined;
  plan: ((request: Extract<ApiMessage, { type: 'plan' }>) => AgentMessage | undefined) | undefined;
  remove: ((steps: string[]) => string[]) | undefined;
  describe: ((steps: string[]) => DescribedStep[]) | undefined;
  readonly #url: () => string;
  readonly credential: string;
  #socket: WebSocket | undefined;
  #waiters: { test: (message: ApiMessage) => boolean; resolve: (message: ApiMessage) => void }[] = [];
  #isClosed = false;
  #isWelcome = false;

  constructor(url: () => string, credential: string) {
    this.#url = url;
    this.credential = credential;
  }

  /** Connects, says hello, and resolves with the welcome. */
  async connect(): Promise<Extract<ApiMessage, { type: 'welcome' }>> {
    const welcome = this.next('welcome');
    await this.open();
    this.hello();
    return welcome;
  }

  async open(): Promise<void> {
    const socket = new WebSocket(`${this.#url().replace('http', 'ws')}/api/v1/agent/link`, {
      headers: { authorization: `Bearer ${this.credential}` },
    } as never);
    this.#socket = socket;
    socket.addEventListener('message', (event) => this.#receive(JSON.parse(String(event.data)) as ApiMessage));
    socket.addEventListener('close', (event) => {
      this.#isWelcome = false;
      this.closeCode = event.code;
      if (this.reconnects && !this.#isClosed) setTimeout(() => void this.#reconnect(), 20);
    });
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener('open', () => resolve());
      socket.addEventListener('error', () => reject(new Error('the link was refused')));
    });
  }

  hello(): void {
    this.#isWelcome = false;
    this.send({
      type: 'hello',
      protocol: 1,
      bootId: this.bootId,
      facts,
      slots: this.slots,
      attempts: [...this.journals.values()].map((journal) => ({
        attemptId: journal.offer.attemptId,
        fence: journal.offer.fence,
        running: journal.running,
        lastSeq: journal.lastSeq,
      })),
    });
  }

  send(message: AgentMessage): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** Resolves with the next message of a kind. */
  next<T extends ApiMessage['type']>(type: T): Promise<Extract<ApiMessage, { type: T }>> {
    return new Promise((resolve) => {
      this.#waiters.push({
        test: (message) => message.type === type,
        resolve: resolve as (message: ApiMessage) => void,
      });
    });
  }

  /** Adds records to an attempt's journal and sends them. */
  record(attemptId: string, ...records: BuildRecord[]): void {
    const journal = this.journals.get(attemptId);
    if (journal === undefined) throw new Error('no such attempt');
    const numbered = records.map((record) => ({ seq: ++journal.lastSeq, record }));
    journal.records.push(...numbered);
    if (records.some((record) => record.type === 'attempt-ended')) journal.running = false;
    // Before the welcome tells where the farm stands, records stay in the journal.
    if (this.#isWelcome) this.sendRecords(attemptId, numbered);
  }

  sendRecords(attemptId: string, records: NumberedRecord[], fence?: number): void {
    const journal = this.journals.get(attemptId);
    this.send({ type: 'records', attemptId, fence: fence ?? journal?.offer.fence ?? 0, records });
  }

  accept(offer: Offer): void {
    this.journals.set(offer.attemptId, { offer, records: [], lastSeq: 0, ackedSeq: 0, running: true });
    this.send({ type: 'accepted', attemptId: offer.attemptId, fence: offer.fence });
  }

  /** Drops the connection without a word. */
  cut(): void {
    this.#socket?.close();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const socket = this.#socket;
    if (socket === undefined || socket.readyState === WebSocket.CLOSED) return;
    const closed = new Promise<void>((resolve) => socket.addEventListener('close', () => resolve()));
    socket.close();
    await closed;
  }

  async #reconnect(): Promise<void> {
    try {
      await this.open();
      this.hello();
    } catch {
      // The close event of the failed socket tries again.
    }
  }

  #receive(message: ApiMessage): void {
    this.received.push(message);
    this.#act(message);
    const waiting = this.#waiters.filter((waiter) => waiter.test(message));
    this.#waiters = this.#waiters.filter((waiter) => !waiting.includes(waiter));
    for (const waiter of waiting) waiter.resolve(message);
  }

  #act(message: ApiMessage): void {
    switch (message.type) {
      case 'welcome':
        this.#isWelcome = true;
        for (const { attemptId, ackedSeq, live } of message.attempts) {
          const journal = this.journals.get(attemptId);
          if (journal === undefined) continue;
          journal.ackedSeq = ackedSeq;
          const rest = journal.records.filter((record) => record.seq > ackedSeq);
          if (live && rest.length > 0) this.sendRecords(attemptId, rest);
          if (!live) this.journals.delete(attemptId);
        }
        break;
      case 'offer':
        if (this.script !== undefined) {
          this.accept(message.offer);
          void Promise.resolve(this.script(message.offer, this)).then((records) => {
            if (records.length > 0) this.record(message.offer.attemptId, ...records);
          });
        }
        break;
      case 'ack': {
        const journal = this.journals.get(message.attemptId);
        if (journal !== undefined) journal.ackedSeq = Math.max(journal.ackedSeq, message.seq);
        break;
      }
      case 'stale':
        this.journals.delete(message.attemptId);
        break;
      case 'plan': {
        const answer = this.plan?.(message);
        if (answer !== undefined) this.send(answer);
        break;
      }
      case 'remove':
        if (this.remove)
          this.send({ type: 'removed', requestId: message.requestId, steps: this.remove(message.steps) });
        break;
      case 'describe':
        if (this.describe)
          this.send({ type: 'described', requestId: message.requestId, steps: this.describe(message.steps) });
        break;
      case 'cancel':
        break;
    }
  }
}

/** A step id for tests. */
export function stepIdOf(n: number): string {
  return n.toString(16).padStart(64, '0');
}

/** Records of one step: its start, its log in one piece, its end. */
export function stepRecords(options: {
  position: string;
  stepRunId: string;
  kind?: 'from' | 'run' | 'copy';
  outcome?: 'hit' | 'built' | 'failed';
  stepId?: string | null;
  parentId?: string | null;
  log?: string;
  at?: number;
}): BuildRecord[] {
  const { position, stepRunId, kind = 'run', outcome = 'built', log = '' } = options;
  const at = options.at ?? Date.now();
  const bytes = Buffer.from(log);
  const end: BuildRecord = {
    type: 'step-ended',
    at,
    position,
    stepRunId,
    outcome,
    stepId: options.stepId ?? null,
    parentId: options.parentId ?? null,
    copiesFrom: [],
    op: `(${kind} …)`,
    platform: 'linux/amd64',
    record: outcome === 'built' ? { kind, format: 1 } : null,
    sizeBytes: outcome === 'built' ? 1000 : null,
    durationMs: 12.5,
    logBytes: bytes.length,
    exit: kind === 'run' && outcome !== 'hit' ? { kind: 'exited', code: outcome === 'failed' ? 1 : 0 } : null,
    error: null,
  };
  const logs: BuildRecord[] =
    bytes.length === 0
      ? []
      : [{ type: 'log', at, stepRunId, stream: 'stdout', offset: 0, data: bytes.toString('base64') }];
  return [{ type: 'step-started', at, position, stepRunId, kind }, ...logs, end];
}

export function succeeded(result: string | null = stepIdOf(3)): BuildRecord {
  return { type: 'attempt-ended', at: Date.now(), outcome: 'succeeded', result, error: null };
}

/** Plays a whole build of `smallSpec`: three steps, two with a log. */
export const buildsAll: Script = (offer) => [
  ...stepRecords({ position: '0', stepRunId: `${offer.attemptId}-0`, kind: 'from', stepId: stepIdOf(1) }),
  ...stepRecords({
    position: '1',
    stepRunId: `${offer.attemptId}-1`,
    stepId: stepIdOf(2),
    parentId: stepIdOf(1),
    log: 'one\n',
  }),
  ...stepRecords({
    position: '2',
    stepRunId: `${offer.attemptId}-2`,
    stepId: stepIdOf(3),
    parentId: stepIdOf(2),
    log: 'two\n',
  }),
  succeeded(),
];
