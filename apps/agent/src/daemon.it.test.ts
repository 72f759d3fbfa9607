import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';

import type { BuildRecord, NumberedRecord, Offer } from '@loam/contracts';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import { writeFarmConfig } from './config.ts';
import { letGo, TestInstall, waits, type AgentProcess } from './testing/agent-process.ts';
import { startScriptedApi, type ScriptedApi, type ScriptedLink } from './testing/scripted-api.ts';

let install: TestInstall;
let api: ScriptedApi;
let agent: AgentProcess;
beforeAll(async () => {
  install = new TestInstall();
  await install.importBusybox();
});
afterAll(() => install.close());
beforeEach(async () => void (api = await startScriptedApi()));
afterEach(async () => {
  agent.child.kill('SIGKILL');
  await agent.ended;
  await api.close();
});

function startAgent(url: string = api.url): void {
  const credential = 'credential';
  writeFarmConfig(install.state, {
    url,
    agentId: 'agt_test',
    credential,
    name: 'test',
    pool: 'linux',
    slots: 2,
  });
  agent = install.start('run', '--keep-containerd', '--grace', '5s');
}

let attempts = 0;
function offerOf(spec: string, more: Partial<Offer> = {}): Offer {
  attempts += 1;
  return {
    attemptId: `att_${attempts}`,
    fence: 4,
    buildId: 'bld_one',
    spec,
    context: null,
    secretIds: [],
    timeoutMs: null,
    limits: {},
    refresh: false,
    ...more,
  };
}

/** The API's store of one attempt: numbers without gap or repetition, acknowledged as they come. */
class Stored {
  readonly records: BuildRecord[] = [];

  take(link: ScriptedLink, attemptId: string, numbered: readonly NumberedRecord[]): void {
    for (const { seq, record } of numbered) {
      expect(seq).toBe(this.records.length + 1);
      this.records.push(record);
    }
    link.send({ type: 'ack', attemptId, seq: this.records.length });
  }

  async until(link: ScriptedLink, attemptId: string, found: (record: BuildRecord) => boolean): Promise<void> {
    while (!this.records.some(found)) {
      const message = await link.next('records');
      expect([message.attemptId, message.fence]).toEqual([attemptId, 4]);
      this.take(link, attemptId, message.records);
    }
  }

  /** The log of each step run, in order of start; throws where an offset does not follow. */
  logs(): string[] {
    const logs = new Map<string, Buffer>();
    for (const record of this.records) {
      if (record.type === 'step-started') logs.set(record.stepRunId, Buffer.alloc(0));
      if (record.type !== 'log') continue;
      const log = logs.get(record.stepRunId) ?? Buffer.alloc(0);
      expect(record.offset).toBe(log.length);
      logs.set(record.stepRunId, Buffer.concat([log, Buffer.from(record.data, 'base64')]));
    }
    return [...logs.values()].map(String);
  }

  outcomes(): string[] {
    return this.records.flatMap((record) =>
      record.type === 'step-ended' ? [`${record.position} ${record.outcome}`] : [],
    );
  }
}

const isEnd = (record: BuildRecord): boolean => record.type === 'attempt-ended';
const says = (text: string) => (record: BuildRecord) =>
  record.type === 'log' && Buffer.from(record.data, 'base64').toString().includes(text);
const stepRunOf = (record: BuildRecord | undefined) => (record?.type === 'log' ? record.stepRunId : undefined);
const sha256 = (content: string): string => `sha256:${createHash('sha256').update(content).digest('hex')}`;

test('works on an offer: files and secrets from the farm, records to it, nothing kept behind', async () => {
  startAgent();
  const link = await api.link();
  const hello = await link.greet();
  expect(hello).toMatchObject({ slots: 2, attempts: [], facts: { platform: expect.stringMatching(/^linux\//) } });

  const content = 'a file of the project\n';
  const manifest = JSON.stringify({
    entries: [{ kind: 'file', path: 'a.txt', mode: 0o644, sizeBytes: content.length, digest: sha256(content) }],
  });
  api.files.set(`/contexts/${sha256(manifest)}`, manifest);
  api.files.set(`/blobs/${sha256(content)}`, content);
  const secret = { id: 'pass', value: Buffer.from('hush').toString('base64') };
  const offer = offerOf(
    `((from loam.local/busybox:latest)
      (copy (src a.txt) (dst /a.txt))
      (run (secrets (pass (target /run/pass))) (shell "cat /a.txt; wc -c < /run/pass")))`,
    { context: sha256(manifest), secretIds: ['pass'] },
  );
  api.files.set(`/attempts/${offer.attemptId}/secrets`, JSON.stringify({ secrets: [secret] }));

  link.send({ type: 'offer', offer });
  await link.next('accepted');
  const stored = new Stored();
  await stored.until(link, offer.attemptId, isEnd);
  expect(stored.records.at(-1)).toMatchObject({ outcome: 'succeeded', error: null });
  expect(stored.logs().at(-1)).toBe(`${content}4\n`);

  link.send({ type: 'plan', requestId: 'r1', spec: offer.spec, context: offer.context, refresh: false });
  const { steps } = await link.next('planned');
  expect(steps?.map((step) => step.state)).toEqual(['hit', 'hit', 'hit']);
  const result = steps?.at(-1)?.stepId ?? '';
  link.send({ type: 'remove', requestId: 'r2', steps: [result] });
  expect((await link.next('removed')).steps).toEqual([result]);

  agent.child.kill('SIGTERM');
  expect((await agent.ended).code).toBe(0);
  expect(await install.leftovers()).toEqual([]);
  expect(allText(install.state)).not.toContain('hush');
});

test('killed in the middle of a step and started again: the build ends well, no log byte is lost or doubled, nothing is left', async () => {
  startAgent();
  const link = await api.link();
  await link.greet();
  const salt = `killed ${Date.now()}`;
  const offer = offerOf(`((from loam.local/busybox:latest)
    (run (shell "echo first ${salt}"))
    (run (shell ": ${salt}; echo line 1; echo line 2; ${waits}; for i in 3 4 5; do echo line $i; done")))`);
  link.send({ type: 'offer', offer });
  await link.next('accepted');
  const stored = new Stored();
  await stored.until(link, offer.attemptId, says('line 2'));
  const killed = stepRunOf(stored.records.find(says('line 2')));
  agent.child.kill('SIGKILL');
  await agent.ended;
  // What was on its way when the agent died is stored, its acknowledgement lost.
  const before = stored.records.length;

  startAgent();
  const again = await api.link();
  const hello = await again.greet([{ attemptId: offer.attemptId, ackedSeq: before, live: true }]);
  expect(hello.attempts).toEqual([
    { attemptId: offer.attemptId, fence: 4, running: true, lastSeq: expect.any(Number) as number },
  ]);
  await stored.until(again, offer.attemptId, (record) => says('line 2')(record) && stepRunOf(record) !== killed);
  letGo(salt);
  await stored.until(again, offer.attemptId, isEnd);
  expect(stored.records.at(-1)).toMatchObject({ outcome: 'succeeded' });
  expect(stored.outcomes().slice(-3)).toEqual(['1 built', '2 cancelled', '2 built']);
  const logs = stored.logs();
  expect(logs.at(-1)).toBe('line 1\nline 2\nline 3\nline 4\nline 5\n');
  expect(logs.at(-2)).toMatch(/^line 1\nline 2\n/);

  agent.child.kill('SIGTERM');
  await agent.ended;
  expect(await install.leftovers()).toEqual([]);
  expect(readdirSync(join(install.state, 'attempts'))).toEqual(['reserve']);
});

test('kill -9 of the private containerd, in the middle of a step and between builds, loses no build', async () => {
  startAgent();
  const link = await api.link();
  await link.greet();
  const build = async (spec: string, meanwhile: (stored: Stored, attemptId: string) => Promise<void>) => {
    const offer = offerOf(spec);
    link.send({ type: 'offer', offer });
    await link.next('accepted');
    const stored = new Stored();
    await meanwhile(stored, offer.attemptId);
    await stored.until(link, offer.attemptId, isEnd);
    expect(stored.records.at(-1)).toMatchObject({ outcome: 'succeeded', error: null });
    return stored.logs().at(-1);
  };
  const salt = `no containerd ${Date.now()}`;
  const lines = await build(
    `((from loam.local/busybox:latest)
      (run (shell "echo ${salt}; echo line 1; echo line 2; ${waits}; for i in 3 4 5 6 7 8; do echo line $i; sleep 0.2; done")))`,
    async (stored, attemptId) => {
      await stored.until(link, attemptId, says('line 2'));
      install.killContainerd();
      letGo(salt);
    },
  );
  expect(lines).toMatch(/line 1\nline 2\nline 3\n(.*\n)*line 8\n$/);
  install.killContainerd();
  const after = await build(
    `((from loam.local/busybox:latest) (run (shell "echo after ${Date.now()}")))`,
    async () => {},
  );
  expect(after).toMatch(/^after /);

  agent.child.kill('SIGTERM');
  await agent.ended;
  expect(await install.leftovers()).toEqual([]);
});

test('a cancelled attempt ends as cancelled while its step runs', async () => {
  startAgent();
  const link = await api.link();
  await link.greet();
  const offer = offerOf('((from loam.local/busybox:latest) (run (shell "echo running; sleep 3600")))');
  link.send({ type: 'offer', offer });
  await link.next('accepted');
  const stored = new Stored();
  await stored.until(link, offer.attemptId, says('running'));
  link.send({ type: 'cancel', attemptId: offer.attemptId, reason: 'test' });
  await stored.until(link, offer.attemptId, isEnd);
  expect(stored.records.at(-1)).toMatchObject({ outcome: 'cancelled', error: null });
  agent.child.kill('SIGTERM');
  await agent.ended;
  expect(await install.leftovers()).toEqual([]);
});

test('stopped while its doctor waits for a farm that says nothing, it ends without an answer', async () => {
  const asked = Promise.withResolvers<void>();
  const silent = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => bytes.includes('GET /readyz') && asked.resolve());
  }).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  // This agent gives nothing up by itself: if it waited, it would wait for ever.
  const patient = `import net from 'node:net';
    net.Socket.prototype.setTimeout = function () { return this; };
    AbortSignal.timeout = () => new AbortController().signal;
    const after = globalThis.setTimeout;
    globalThis.setTimeout = (work, ms, ...args) => after(work, ms < 10_000 ? ms : 2 ** 31 - 1, ...args);`;
  process.env['NODE_OPTIONS'] = `--import data:text/javascript,${encodeURIComponent(patient)}`;
  startAgent(`http://127.0.0.1:${(silent.address() as AddressInfo).port}`);
  delete process.env['NODE_OPTIONS'];
  await asked.promise;
  agent.child.kill('SIGTERM');
  expect((await agent.ended).code).toBe(0);
  silent.close();
});

test('idle after a step that wrote 20 MB, it takes next to no processor time and less than 150 MB of memory', async () => {
  startAgent();
  const link = await api.link();
  await link.greet();
  const offer = offerOf(`((from loam.local/busybox:latest)
    (run (shell "echo ${Date.now()}; yes 0123456789 | head -c 20000000")))`);
  link.send({ type: 'offer', offer });
  await link.next('accepted');
  const stored = new Stored();
  await stored.until(link, offer.attemptId, isEnd);
  expect(stored.logs().at(-1)).toHaveLength(20_000_014);
  const { pid } = agent.child;
  // Some seconds after the last record it has nothing more to do, and has given back what it does not need.
  const isIdle = async (): Promise<boolean> => {
    const before = cpuMs(pid);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const usedMs = cpuMs(pid) - before;
    const rss = Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
    console.log(`idle agent: ${usedMs / 3} ms of processor a second, ${Math.round(rss / 1e6)} MB`);
    return usedMs < 100 && rss < 150e6;
  };
  await expect.poll(isIdle).toBe(true);
});

/** User and system time of a process; the kernel counts in hundredths of a second. */
function cpuMs(pid: number | undefined): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** What the agent itself has written; containerd lives on, and what it has may go while it is read. */
function allText(directory: string): string {
  return readdirSync(directory, { withFileTypes: true })
    .filter(({ name }) => name !== 'containerd')
    .map((entry) => {
      const path = join(directory, entry.name);
      return entry.isDirectory() ? allText(path) : entry.isFile() ? readFileSync(path, 'latin1') : '';
    })
    .join('\n');
}

test('the doctor reports at the start, and again when the farm asks', async () => {
  startAgent();
  const link = await api.link();
  await link.greet();
  const first = (await link.next('doctor-report')).report;
  expect(first.findings.find(({ id }) => id === 'containerd.reachable')).toMatchObject({ status: 'ok' });
  expect(first.findings.find(({ id }) => id === 'agent.service')?.evidence).toContain('An agent uses');
  link.send({ type: 'doctor' });
  expect((await link.next('doctor-report')).report.at).toBeGreaterThan(first.at);
});
