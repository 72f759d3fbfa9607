import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';

import { createClient, type Client } from '@loam/contracts';

import { startProgram, type ManagedProcess, type StartOptions } from './process.ts';

export interface FarmOptions {
  /** Folder for everything the farm keeps. */
  readonly dataDirectory: string;
  /** `host:port`; port 0 takes a free one. */
  readonly listen: string;
  /** Without it the control plane comes alone. */
  readonly agent: boolean;
  /** Start again what ends by itself, as systemd would. Tests that kill things start them again themselves. */
  readonly supervise?: boolean;
  readonly say: (text: string) => void;
  readonly apiFlags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface Farm {
  /** For programs on this machine. */
  readonly url: string;
  /** For people and other machines: `LOAM_PUBLIC_URL` where that is set. */
  readonly publicUrl: string;
  readonly token: string;
  /** An address that logs a browser in, once. */
  readonly loginUrl: string;
  /** For programs; on the first start only, and never shown again. */
  readonly firstToken: string | null;
  readonly client: Client;
  readonly api: () => ManagedProcess;
  readonly agent: () => ManagedProcess | undefined;
  /** Starts them again, after a test killed them. */
  startApi(): Promise<void>;
  startAgent(): Promise<void>;
  stop(): Promise<void>;
}

interface Ready {
  ready: true;
  /** For people and for other machines. */
  url: string;
  /** Where it listens, for programs on this machine. */
  localUrl: string;
  loginUrl: string;
  /** The farm's first API token; only on the start that made it. */
  firstToken: string | null;
  /** A token for the starter and for `loam` on this machine, good until the next start. */
  starterToken: string | null;
}

const startTimeoutMs = 120_000;
const restartMsMin = 500;
const restartMsMax = 30_000;

/** Starts the API (with its embedded PostgreSQL) and, if wanted, a local agent with a private containerd, enrolled at the first start. */
export async function startFarm(options: FarmOptions): Promise<Farm> {
  const { dataDirectory, say } = options;
  mkdirSync(dataDirectory, { recursive: true, mode: 0o700 });
  const file = (...parts: string[]): string => path.join(dataDirectory, ...parts);
  let api: ManagedProcess | undefined;
  let agent: ManagedProcess | undefined;
  let listen = options.listen;
  let ready: Ready | undefined;
  let stopping = false;

  async function startApi(): Promise<void> {
    const started = startProgram('apps/api/src/main.ts', {
      args: [],
      env: {
        ...options.env,
        // Only the first time: a renewed token would shut out who has the present one.
        ...(ready === undefined ? { LOAM_STARTER: '1' } : {}),
        LOAM_DATA: file('api'),
        LOAM_LISTEN: listen,
        LOAM_WEB_DIST: path.resolve('apps/web/dist'),
      },
      logFile: file('logs', 'api.log'),
      isSecret: isReadyLine,
      ...(options.apiFlags === undefined ? {} : { nodeFlags: options.apiFlags }),
    } satisfies StartOptions);
    api = started;
    ready = await readiness(started, 'The API', file('logs', 'api.log'));
    // The port that it got, on the addresses that were asked for.
    listen = options.listen.replace(/:0$/, `:${new URL(ready.localUrl).port}`);
  }

  async function startAgent(): Promise<void> {
    const started = startProgram('apps/agent/src/main.ts', {
      // It was enrolled at an address that may have been another one then.
      args: ['run', '--state', file('agent'), '--url', first.localUrl],
      ...(options.env === undefined ? {} : { env: options.env }),
      logFile: file('logs', 'agent.log'),
    });
    agent = started;
  }

  /** Starts a program again whenever it ends before the farm does, waiting longer each time it does so soon. */
  async function keepRunning(name: string, current: () => ManagedProcess, start: () => Promise<void>): Promise<void> {
    for (let waitMs = restartMsMin; ; waitMs = Math.min(waitMs * 2, restartMsMax)) {
      const startedAt = Date.now();
      const { how } = await current().ended;
      if (stopping) return;
      if (Date.now() - startedAt > restartMsMax) waitMs = restartMsMin;
      say(`${name} ended (${how}); starting it again. Its log is in ${file('logs')}`);
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      if (stopping) return;
      await start().catch((error: unknown) => say(error instanceof Error ? error.message : String(error)));
    }
  }

  async function stop(): Promise<void> {
    stopping = true;
    await agent?.stop();
    await api?.stop();
  }

  say('Starting PostgreSQL and the API …');
  await startApi();
  const first = ready as unknown as Ready;
  const token = first.starterToken;
  if (token === null) throw new Error('The API gave the starter no token.');
  // Where `loam` on this machine finds the farm.
  writeFileSync(file('cli.json'), `${JSON.stringify({ url: first.localUrl, token })}\n`, { mode: 0o600 });
  const client = createClient({ url: first.localUrl, token });

  if (options.agent) {
    try {
      if (!existsSync(file('agent', 'config.json'))) await enrol();
      if (!existsSync(file('agent-checked'))) await check();
      say('Starting the agent and its private containerd …');
      await startAgent();
      await online();
    } catch (error) {
      await stop();
      throw error;
    }
  }
  if (options.supervise === true) {
    void keepRunning('The API', () => api as ManagedProcess, startApi);
    if (options.agent) void keepRunning('The agent', () => agent as ManagedProcess, startAgent);
  }

  async function enrol(): Promise<void> {
    say('Enrolling a local agent …');
    const { token: enrolmentToken } = await client.createEnrolmentToken({ pool: 'linux' });
    const args = [
      'enrol',
      '--state',
      file('agent'),
      '--url',
      first.localUrl,
      '--token',
      enrolmentToken,
      '--name',
      hostname(),
    ];
    await agentCommand(args, 'could not be enrolled');
  }

  /** Also makes the base image of the sample, so that the first build needs no registry. */
  async function check(): Promise<void> {
    say('Checking that this host can build …');
    await agentCommand(['healthcheck', '--state', file('agent')], 'cannot build on this host');
    writeFileSync(file('agent-checked'), '');
  }

  async function agentCommand(args: readonly string[], failure: string): Promise<void> {
    const command = startProgram('apps/agent/src/main.ts', { args, logFile: file('logs', 'agent.log') });
    const { code } = await command.ended;
    if (code !== 0) throw new Error(`The agent ${failure} (exit code ${code}). ${tailOf(file('logs', 'agent.log'))}`);
  }

  async function online(): Promise<void> {
    const end = Date.now() + startTimeoutMs;
    for (;;) {
      const { items } = await client.agents();
      if (items.some((item) => item.state === 'online')) return;
      if (Date.now() > end) throw new Error(`The agent did not come online; its log is ${file('logs', 'agent.log')}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  return {
    url: first.localUrl,
    publicUrl: first.url,
    token,
    loginUrl: first.loginUrl,
    firstToken: first.firstToken,
    client,
    api: () => api as ManagedProcess,
    agent: () => agent,
    startApi,
    startAgent: async () => {
      await startAgent();
      await online();
    },
    stop,
  };
}

/** The API tells on standard output, in one JSON line, when it listens. */
async function readiness(started: ManagedProcess, name: string, logFile: string): Promise<Ready> {
  const ready = new Promise<Ready>((resolve) => {
    started.onLine((line) => {
      if (isReadyLine(line)) resolve(JSON.parse(line) as Ready);
    });
  });
  const failure = started.ended.then(({ how }) => {
    throw new Error(`${name} ended (${how}) before it was ready. ${tailOf(logFile)}`);
  });
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`${name} was not ready after ${startTimeoutMs / 1000} s; its log is ${logFile}`)),
      startTimeoutMs,
    );
  });
  failure.catch(() => undefined);
  try {
    return await Promise.race([ready, failure, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

function isReadyLine(line: string): boolean {
  return line.startsWith('{"ready"');
}

function tailOf(logFile: string): string {
  const tail = existsSync(logFile) ? readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-15).join('\n') : '';
  return `The end of ${logFile}:\n${tail}`;
}
