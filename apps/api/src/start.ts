import type { AddressInfo } from 'node:net';

import { systemClock } from '@loam/base';
import { giveMemoryBackWhenIdle } from '@loam/daemon';
import { migrate } from '@loam/db';
import type { FastifyBaseLogger } from 'fastify';

import { buildApp } from './app.ts';
import type { Config } from './config.ts';
import { explainDatabase } from './explain-database.ts';
import { startEmbeddedPostgres } from './embedded-postgres.ts';
import { ensureFirstToken } from './plugins/services/access.ts';
import { openServices } from './plugins/services/index.ts';
import { readPublicCa } from './routes/install/public-ca.ts';

export interface RunningApi {
  /** What people and other machines call it. */
  readonly url: string;
  /** Where it listens, for programs on this machine. */
  readonly localUrl: string;
  /** Logs one browser in, once. */
  readonly loginUrl: string;
  /** The farm's first API token, on the start that made it; shown once. */
  readonly firstToken: string | null;
  /** A token for the starter itself, until the next start; null unless asked for. */
  readonly starterToken: string | null;
  /** Ends it in the orderly way. */
  close(): Promise<void>;
}

/** Brings up everything that a farm's control plane is: the database if it is ours, services, the server. */
export async function startApi(
  config: Config,
  options: { log: FastifyBaseLogger; isStarter: boolean },
): Promise<RunningApi> {
  const { log } = options;
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const clock = systemClock;
    let { databaseUrl } = config;
    if (databaseUrl === null) {
      const postgres = await startEmbeddedPostgres({ dataDirectory: config.dataDirectory, clock, log });
      closers.push(() => postgres.stop());
      databaseUrl = postgres.url;
    }
    // A bad one must not come to light with the first host.
    await readPublicCa(config.publicCaFile);
    await migrate(databaseUrl).catch((error: unknown) => {
      throw explainDatabase(error);
    });
    const services = await openServices({
      databaseUrl,
      queueUrl: config.queueUrl ?? databaseUrl,
      dataDirectory: config.dataDirectory,
      isAlone: config.databaseUrl === null,
      limits: config.limits,
      timing: config.timing,
      log,
    });
    closers.push(() => services.close());
    const app = await buildApp({ services, config, log });
    closers.push(() => app.close());
    await app.listen({ host: config.host, port: config.port });
    await services.start();
    const stopGivingBack = giveMemoryBackWhenIdle({ clock });
    closers.push(async () => stopGivingBack());
    const localUrl = listeningUrl((app.server.address() as AddressInfo).port, config.host);
    const url = config.publicUrl ?? localUrl;
    const { code } = await services.access.createLoginCode('owner');
    return {
      url,
      localUrl,
      loginUrl: `${url}/login?code=${code}`,
      firstToken: await ensureFirstToken(services),
      starterToken: options.isStarter ? await services.access.renewStarterToken() : null,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function listeningUrl(port: number, host: string): string {
  // What listens everywhere is reached here by the loopback.
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host;
  return `http://${name}:${port}`;
}
