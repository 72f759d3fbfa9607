import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { Agent, get, request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

import { createClient } from '@loam/contracts';
import { freePort } from '@loam/postgres-server';
import { startPostgres, startRedis } from '@loam/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { smallSpec } from './testing/farm.ts';
import { ScriptedAgent, stepIdOf, stepRecords, succeeded } from './testing/scripted-agent.ts';
import { until } from './testing/until.ts';

interface Ready {
  readonly url: string;
  readonly loginUrl: string;
  readonly firstToken: string | null;
  readonly starterToken: string | null;
}

const main = fileURLToPath(new URL('./main.ts', import.meta.url));
let dataDirectory: string;
let port: number;
let api: ChildProcess;

beforeEach(async () => {
  dataDirectory = await mkdtemp(join(tmpdir(), 'loam-start-'));
  port = await freePort();
});
afterEach(async () => {
  if (api.exitCode === null && api.signalCode === null) await stop('SIGTERM');
  await rm(dataDirectory, { recursive: true, force: true });
});

async function start(): Promise<Ready> {
  api = spawn(process.execPath, [main], {
    env: { ...process.env, LOAM_DATA: dataDirectory, LOAM_LISTEN: `127.0.0.1:${port}`, LOAM_STARTER: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines = createInterface({ input: api.stdout as NodeJS.ReadableStream });
  const said = text(api.stderr as NodeJS.ReadableStream);
  const line = await Promise.race([once(lines, 'line').then(([first]) => first as string), once(lines, 'close')]);
  if (typeof line !== 'string') throw new Error(`The API ended at its start: ${await said}`);
  return JSON.parse(line) as Ready;
}

/** What it logs, and how it ends, when it cannot start. */
async function startInVain(environment: Record<string, string>): Promise<{ code: number | null; output: string }> {
  api = spawn(process.execPath, [main], {
    env: { ...process.env, LOAM_DATA: dataDirectory, LOAM_LISTEN: `127.0.0.1:${port}`, ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [output, [code]] = await Promise.all([
    text(api.stderr as NodeJS.ReadableStream),
    once(api, 'exit') as Promise<[number | null]>,
  ]);
  return { code, output };
}

async function stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
  const exited = once(api, 'exit');
  api.kill(signal);
  return ((await exited) as [number | null])[0];
}

async function postmaster(): Promise<number> {
  return Number.parseInt(await readFile(join(dataDirectory, 'postgres', 'postmaster.pid'), 'utf8'), 10);
}

test('a fresh start prints what a newcomer needs, once; a stop waits for no connection and leaves no Postgres', async () => {
  const first = await start();
  expect(first.firstToken).toMatch(/^loam_/);
  const login = await fetch(first.loginUrl);
  const cookie = login.headers.get('set-cookie') ?? '';
  expect(cookie).toMatch(/^loam_session=loamses_[\w-]+; Path=\/; HttpOnly; SameSite=Strict;/);
  const me = await fetch(`${first.url}/api/v1/me`, { headers: { cookie: cookie.split(';')[0] as string } });
  expect(await me.json()).toMatchObject({ name: 'owner', embedded: true });
  expect((await fetch(first.loginUrl)).status).toBe(401);
  const pid = await postmaster();
  // One keeps its connection for later, the other is in the middle of a request, and would be so for longer than a stop may take.
  const browser = new Agent({ keepAlive: true });
  const [answer] = (await once(get(`${first.url}/healthz`, { agent: browser }), 'response')) as [IncomingMessage];
  await once(answer.resume(), 'end');
  const headers = { expect: '100-continue', 'content-type': 'application/json', 'content-length': 100 };
  const upload = request(`${first.url}/api/v1/session`, { method: 'POST', headers });
  const cutOff = once(upload, 'error');
  upload.flushHeaders();
  await once(upload, 'continue');
  expect(await stop('SIGTERM')).toBe(0);
  await cutOff;
  browser.destroy();
  expect(() => process.kill(pid, 0)).toThrow('ESRCH');

  const second = await start();
  expect(second.firstToken).toBeNull();
  expect((await createClient({ url: second.url, token: first.firstToken as string }).me()).name).toBe('first');
  // The starter's token of the last start is worth nothing any more.
  await expect(createClient({ url: second.url, token: first.starterToken as string }).me()).rejects.toThrow('unknown');
});

test('a stop in the middle of a start leaves no Postgres either', async () => {
  const environment = { ...process.env, LOAM_DATA: dataDirectory, LOAM_LISTEN: `127.0.0.1:${port}` };
  api = spawn(process.execPath, [main], { env: environment, stdio: 'ignore' });
  // Negative while its files are made.
  await expect.poll(() => postmaster().catch(() => 0)).toBeGreaterThan(0);
  const pid = await postmaster();
  expect(await stop('SIGTERM')).toBe(0);
  expect(() => process.kill(pid, 0)).toThrow('ESRCH');
});

test('a database that is not there, or does not let us in, is told as such and without its password', async () => {
  const server = await startPostgres();
  try {
    const { url } = await server.createDatabase();
    const wrong = Object.assign(new URL(url), { password: 'not-this-one' }).href;
    const nowhere = `postgres://loam:not-this-one@127.0.0.1:${await freePort()}/loam`;
    for (const address of [wrong, nowhere]) {
      const { code, output } = await startInVain({ LOAM_DATABASE_URL: address });
      expect([code, output]).toEqual([1, expect.stringContaining('"code":"api.database-unusable"')]);
      expect(output).not.toContain('not-this-one');
    }
  } finally {
    await server.stop();
  }
});

test('a queue that does not let us in is told as such and without its password', async () => {
  const [server, redis] = await Promise.all([startPostgres(), startRedis()]);
  try {
    const { url } = await server.createDatabase();
    const queueUrl = Object.assign(new URL(redis.url), { password: 'not-this-one' });
    const socket = connect(Number(queueUrl.port), queueUrl.hostname);
    socket.end('CONFIG SET requirepass another-one\r\n');
    await once(socket.resume(), 'close');
    const { code, output } = await startInVain({ LOAM_DATABASE_URL: url, LOAM_QUEUE_URL: queueUrl.href });
    expect([code, output]).toEqual([1, expect.stringContaining('WRONGPASS')]);
    expect(output).not.toContain('not-this-one');
  } finally {
    await Promise.all([server.stop(), redis.stop()]);
  }
});

test('a setting that is wrong is told by its name', async () => {
  const { code, output } = await startInVain({ LOAM_LOG_LEVEL: 'loud' });
  expect([code, output]).toEqual([1, expect.stringMatching(/"code":"api.config-invalid".*LOAM_LOG_LEVEL/)]);
});

test('kill -9 of the API and of Postgres in the middle of a build loses no build and no log byte, and doubles none', async () => {
  const ready = await start();
  const client = createClient({ url: ready.url, token: ready.firstToken as string });
  const { token } = await client.createEnrolmentToken({ pool: 'linux' });
  const { credential } = await client.enrol({ token, name: 'soil' });
  const agent = new ScriptedAgent(() => ready.url, credential);
  agent.reconnects = true;
  agent.script = () => [];
  await agent.connect();
  const { id } = await client.submit({ spec: smallSpec });
  const attemptId = await until(() => [...agent.journals.keys()][0]);
  const stepRunId = `${attemptId}-1`;
  agent.record(attemptId, { type: 'step-started', at: 1, position: '1', stepRunId, kind: 'run' });
  let expected = '';
  const write = (count: number): void => {
    for (let n = 0; n < count; n++) {
      const line = `${expected.length} ${'y'.repeat(n % 97)}\n`;
      const data = Buffer.from(line).toString('base64');
      agent.record(attemptId, { type: 'log', at: n, stepRunId, stream: 'stdout', offset: expected.length, data });
      expected += line;
    }
  };
  for (const victim of ['api', 'postgres', 'api', 'both'] as const) {
    write(400);
    const acked = agent.journals.get(attemptId)?.ackedSeq ?? 0;
    await until(() => (agent.journals.get(attemptId)?.ackedSeq ?? 0) > acked);
    write(400);
    if (victim !== 'api') process.kill(await postmaster(), 'SIGKILL');
    if (victim !== 'postgres') {
      await stop('SIGKILL');
      write(50);
      await start();
    }
    write(100);
  }
  const end = stepRecords({ position: '1', stepRunId, stepId: stepIdOf(2) }).slice(-1);
  agent.record(attemptId, ...end, succeeded());
  const build = await until(async () => {
    const now = await client.build(id).catch(() => undefined);
    return now?.endedAt != null && now;
  });
  expect([build.state, build.attempts.length]).toEqual(['succeeded', 1]);
  expect(Buffer.from(await client.log(stepRunId)).toString()).toBe(expected);
  await agent.close();
});
