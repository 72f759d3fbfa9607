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
  readonly blobBytesMax?: number;
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
      const farm = await openFarm(database.url, options);
      farms.push(farm);
      return farm;
    },
    async close() {
      await Promise.all(farms.map((farm) => farm.close()));
      await postgres.stop();
    },
  };
}

async function openFarm(databaseUrl: string, options: FarmOptions): Promise<TestFarm> {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'loam-api-'));
  const lines: string[] = [];
  const log = pino({ level: 'debug', base: null }, { write: (line: string) => void lines.push(line) });
  const start = async (): Promise<{ services: Services; app: App }> => {
    const services = await openServices({
      databaseUrl,
      queueUrl: databaseUrl,
      dataDirectory,
      isAlone: true,
      limits: { ...defaultLimits, blobBytes: options.blobBytesMax ?? defaultLimits.blobBytes },
      timing: { ...defaultTiming, ...options.timing },
      log,
      clock: options.clock ?? systemClock,
    });
    const config = { publicUrl: null, webDirectory: options.webDirectory ?? join(dataDirectory, 'no-web') };
    return { services, app: await buildApp({ services, config, log }) };
  };
  const stop = async (farm: TestFarm): Promise<void> => {
    farm.services.live.close();
    farm.services.gateway.close();
    await farm.app.close();
    await farm.services.close();
  };
  const first = await start();
  const token = await ensureFirstToken(first.services);
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
    async enrol(pool = 'linux', name = 'soil-1') {
      const made = await farm.call('POST', '/enrolment-tokens', { pool });
      const enrolled = await farm.call('POST', '/agent/enrol', { token: made.json<{ token: string }>().token, name });
      return enrolled.json<{ agentId: string; credential: string }>();
    },
    async close() {
      if (!isOpen) return;
      isOpen = false;
      await stop(farm);
      await rm(dataDirectory, { recursive: true, force: true });
    },
  };
  return farm;
}

export const smallSpec = '((from busybox:1.36) (run (shell "echo one")) (run (shell "echo two")))';
