import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock, type Clock } from '@loam/base';
import { migrate } from '@loam/db';
import { startPostgres, type PostgresServer } from '@loam/testkit';
import type { InjectOptions, LightMyRequestResponse } from 'fastify';
import { pino } from 'pino';

import { buildApp } from '../app.ts';
import { defaultLimits, defaultTiming, type Timing } from '../config.ts';
import { ensureFirstToken } from '../plugins/services/access.ts';
import { openServices, type Services } from '../plugins/services/index.ts';
import type { App } from '../routes/app.ts';

/** One PostgreSQL a test file, with the schema to clone. */
export interface FarmHost {
  readonly postgres: PostgresServer;
  /** A farm with a database and a data directory of its own. */
  farm(options?: FarmOptions): Promise<TestFarm>;
  close(): Promise<void>;
}

export interface FarmOptions {
  readonly clock?: Clock;
  readonly timing?: Partial<Timing>;
  readonly webDirectory?: string;
  readonly packagesDirectory?: string;
  readonly publicUrl?: string;
  readonly trustedProxies?: readonly string[];
  readonly publicCaFile?: string;
  readonly blobBytesMax?: number;
  /** The database unless told. */
  readonly queueUrl?: string;
  /** Whether it hears what other processes of the farm say. */
  readonly isShared?: boolean;
}

export interface TestFarm {
  app: App;
  services: Services;
  readonly databaseUrl: string;
  readonly dataDirectory: string;
  readonly token: string;
  /** `http://…` once `listen` was called. */
  url: string;
  /** What was logged, a line each. */
  readonly lines: string[];
  call(
    method: InjectOptions['method'],
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<LightMyRequestResponse>;
  listen(): Promise<string>;
  /** Ends the process, as far as a test can, and starts another on the same database and data. */
  restart(): Promise<void>;
  /** Another process of the same farm: same database, queue and data directory. */
  sibling(): Promise<TestFarm>;
  /** A credential of a new agent of the pool. */
  enrol(pool?: string, name?: string): Promise<{ agentId: string; credential: string }>;
  close(): Promise<void>;
}

export async function startFarmHost(): Promise<FarmHost> {
  const postgres = await startPostgres();
  const template = await postgres.migratedTemplate(migrate);
  const farms: TestFarm[] = [];
  return {
    postgres,
    async farm(options = {}) {
      const database = await postgres.createDatabase({ template });
      const farm = await openFarm({ databaseUrl: database.url }, options, farms);
      return farm;
    },
    async close() {
      await Promise.all(farms.toReversed().map((farm) => farm.close()));
      await postgres.stop();
    },
  };
}

/** On a busy machine nothing runs out by itself: an agent of a test sends no heartbeats, and answers when the test comes to it. */
const unhurried: Timing = {
  ...defaultTiming,
  heartbeatMs: 600_000,
  graceMs: 3_600_000,
  offerMs: 600_000,
  requestMs: 600_000,
};

/** What a process finds when it starts beside another one. */
interface Premises {
  readonly databaseUrl: string;
  readonly dataDirectory?: string;
  readonly token?: string;
}

async function openFarm(premises: Premises, options: FarmOptions, farms: TestFarm[]): Promise<TestFarm> {
  const { databaseUrl } = premises;
  const dataDirectory = premises.dataDirectory ?? (await mkdtemp(join(tmpdir(), 'loam-api-')));
  const lines: string[] = [];
  const log = pino({ level: 'debug', base: null }, { write: (line: string) => void lines.push(line) });
  const start = async (): Promise<{ services: Services; app: App }> => {
    const services = await openServices({
      databaseUrl,
      queueUrl: options.queueUrl ?? databaseUrl,
      dataDirectory,
      isAlone: options.isShared !== true,
      limits: { ...defaultLimits, blobBytes: options.blobBytesMax ?? defaultLimits.blobBytes },
      timing: { ...unhurried, ...options.timing },
      log,
      clock: options.clock ?? systemClock,
    });
    const config = {
      publicUrl: options.publicUrl ?? null,
      trustedProxies: options.trustedProxies ?? [],
      publicCaFile: options.publicCaFile ?? null,
      webDirectory: options.webDirectory ?? join(dataDirectory, 'no-web'),
      packagesDirectory: options.packagesDirectory ?? join(dataDirectory, 'no-packages'),
    };
    return { services, app: await buildApp({ services, config, log }) };
  };
  const stop = async (farm: TestFarm): Promise<void> => {
    farm.services.live.close();
    farm.services.gateway.close();
    await farm.app.close();
    await farm.services.close();
  };
  const first = await start();
  const token = premises.token ?? (await ensureFirstToken(first.services));
  if (token === null) throw new Error('the database of a test is not empty');
  let port = 0;
  let isOpen = true;
  const farm: TestFarm = {
    ...first,
    databaseUrl,
    dataDirectory,
    token,
    url: '',
    lines,
    call(method, path, body, headers) {
      return farm.app.inject({
        method: method as 'GET',
        url: `/api/v1${path}`,
        headers: { authorization: `Bearer ${token}`, ...headers },
        ...(body === undefined ? {} : { payload: body as object }),
      });
    },
    async listen() {
      await farm.app.listen({ host: '127.0.0.1', port });
      port = (farm.app.server.address() as AddressInfo).port;
      farm.url = `http://127.0.0.1:${port}`;
      return farm.url;
    },
    async restart() {
      await stop(farm);
      Object.assign(farm, await start());
      if (port !== 0) await farm.listen();
    },
    sibling: () => openFarm({ databaseUrl, dataDirectory, token }, options, farms),
    async enrol(pool = 'linux', name = 'soil-1') {
      const made = await farm.call('POST', '/enrolment-tokens', { pool });
      const enrolled = await farm.call('POST', '/agent/enrol', { token: made.json<{ token: string }>().token, name });
      return enrolled.json<{ agentId: string; credential: string }>();
    },
    async close() {
      if (!isOpen) return;
      isOpen = false;
      await stop(farm);
      if (premises.dataDirectory === undefined) await rm(dataDirectory, { recursive: true, force: true });
    },
  };
  farms.push(farm);
  return farm;
}

export const smallSpec = '((from busybox:1.36) (run (shell "echo one")) (run (shell "echo two")))';
