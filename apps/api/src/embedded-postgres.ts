import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { LoamError, sleep, type Clock } from '@loam/base';
import { createDatabase, isReachable } from '@loam/db';
import {
  findBinaries,
  freePort,
  isAlive,
  isPostgresOf,
  makeDataDirectory,
  readPostmasterPid,
  serverAccount,
  spawnServer,
  type ServerProcess,
} from '@loam/postgres-server';
import type { FastifyBaseLogger } from 'fastify';

const userName = 'loam';
const databaseName = 'loam';
/** Recovery after a crash replays what was not checkpointed, which takes a while on a slow disk. */
const startMsMax = 60_000;
const stopMsMax = 10_000;
const settings = {
  max_connections: '60',
  shared_buffers: '48MB',
  // An idle farm shall be idle.
  autovacuum_naptime: '5min',
  bgwriter_delay: '1s',
  wal_writer_delay: '1s',
  checkpoint_timeout: '15min',
  max_wal_size: '256MB',
  log_checkpoints: 'off',
  jit: 'off',
};

export interface EmbeddedPostgres {
  /** Of the farm's database. */
  readonly url: string;
  /** Ends the server in the orderly way. */
  stop(): Promise<void>;
}

interface Access {
  readonly port: number;
  readonly password: string;
}

/**
 * A PostgreSQL of the farm's own, from npm, below the data directory: for machines where nobody wants to set one up. It
 * outlives a kill -9 of this process (the next start ends it and starts its own), and when it is itself killed it is
 * started again on the same port. As root it runs under an account without rights, since PostgreSQL refuses anything else.
 */
export async function startEmbeddedPostgres(options: {
  dataDirectory: string;
  clock: Clock;
  log: FastifyBaseLogger;
}): Promise<EmbeddedPostgres> {
  const { clock, log } = options;
  const directory = join(options.dataDirectory, 'postgres');
  const logFile = join(options.dataDirectory, 'postgres.log');
  const accessFile = join(options.dataDirectory, 'postgres.json');
  const failed = (reason: string, cause?: unknown): LoamError =>
    LoamError.of('api.postgres-failed', { reason, log: logFile }, { cause });
  await mkdir(options.dataDirectory, { recursive: true, mode: 0o700 });
  const account = await serverAccount(directory);
  const binaries = await findBinaries();

  await endLeftover(directory, clock);
  let access = await readAccess(accessFile);
  if (access === undefined || !(await exists(join(directory, 'PG_VERSION')))) {
    access = { port: await freePort(), password: randomBytes(24).toString('base64url') };
    const { password } = access;
    await makeDataDirectory({ directory, initdb: binaries.initdb, account, user: userName, password }).catch(
      (error: unknown) => {
        throw failed('its data directory could not be made', error);
      },
    );
  } else if (!(await freePort(access.port).then(Boolean, () => false))) {
    access = { ...access, port: await freePort() };
  }
  await writeFile(accessFile, JSON.stringify(access), { mode: 0o600 });
  const { port, password } = access;
  const urlOf = (database: string): string => `postgres://${userName}:${password}@127.0.0.1:${port}/${database}`;

  let isStopping = false;
  let server = await launch();

  async function launch(): Promise<ServerProcess> {
    const until = clock.monotonic() + startMsMax;
    for (;;) {
      // After a kill -9 its backends live on for a moment, and a new server has to wait for them to be gone.
      const child = await spawnServer({ postgres: binaries.postgres, directory, port, account, logFile, settings });
      while (child.isRunning() && clock.monotonic() < until) {
        if (await isReachable(urlOf('postgres'))) return child;
        await sleep(clock, 50);
      }
      if (clock.monotonic() >= until || isStopping) {
        child.signal('SIGQUIT');
        throw failed('it did not answer in time');
      }
      await sleep(clock, 250);
    }
  }

  async function watch(): Promise<void> {
    for (;;) {
      const how = await server.exited;
      if (isStopping) return;
      log.error({ how }, 'the embedded PostgreSQL ended; starting it again');
      try {
        server = await launch();
        log.info('the embedded PostgreSQL is there again');
      } catch (error) {
        log.error({ err: error }, 'the embedded PostgreSQL could not be started again yet');
        await sleep(clock, 2_000);
      }
    }
  }

  await createDatabase(urlOf('postgres'), databaseName);
  const watching = watch();
  return {
    url: urlOf(databaseName),
    async stop() {
      isStopping = true;
      // Fast shutdown: sessions are cut off, everything is written.
      server.signal('SIGINT');
      const cancel = clock.after(stopMsMax, () => server.signal('SIGQUIT'));
      await watching;
      cancel();
    },
  };
}

/** Ends the server that an API process left behind when it was killed. */
async function endLeftover(directory: string, clock: Clock): Promise<void> {
  const pid = await readPostmasterPid(directory);
  if (pid === undefined) return;
  if (!(await isPostgresOf(pid, directory))) {
    // Its number belongs to somebody else by now, and the server would take that for a running server.
    await rm(join(directory, 'postmaster.pid'), { force: true });
    return;
  }
  process.kill(pid, 'SIGINT');
  const until = clock.monotonic() + stopMsMax;
  while (isAlive(pid)) {
    if (clock.monotonic() > until) process.kill(pid, 'SIGQUIT');
    await sleep(clock, 50);
  }
}

async function readAccess(file: string): Promise<Access | undefined> {
  try {
    const { port, password } = JSON.parse(await readFile(file, 'utf8')) as Partial<Access>;
    return typeof port === 'number' && typeof password === 'string' ? { port, password } : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
