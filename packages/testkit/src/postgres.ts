import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

import {
  findBinaries,
  freePort,
  makeDataDirectory,
  serverAccount,
  spawnServer,
  type ServerProcess,
} from '@loam/postgres-server';
import postgres from 'postgres';

import { claimDirectory, isAlive, kill, readPid } from './leftovers.ts';

const user = 'postgres';
const password = 'loam-test';
const startMsMax = 120_000;
const settings = { fsync: 'off', full_page_writes: 'off', shared_buffers: '32MB', max_connections: '200' };

/** A database made for one test. */
export interface TestDatabase {
  /** `postgres://…` of this database. */
  readonly url: string;
  /** Removes it, cutting off whoever is still connected. */
  drop(): Promise<void>;
}

/** A PostgreSQL of this test process alone, on a random port of the loopback, without fsync. */
export interface PostgresServer {
  url(database: string): string;
  /** Makes an empty database, or a clone of a template (some 30 ms). */
  createDatabase(options?: { template?: string }): Promise<TestDatabase>;
  /** Makes a database, has it migrated once, and returns its name for `createDatabase({ template })`. The migration must close its connections. */
  migratedTemplate(migrate: (url: string) => Promise<void>): Promise<string>;
  /** Kills the server as a crash would; what was committed is there again after `restart`. */
  kill9(): Promise<void>;
  /** Starts it again after `kill9`, on the same port. */
  restart(): Promise<void>;
  /** Ends the server and deletes its data. */
  stop(): Promise<void>;
}

/**
 * Starts a real PostgreSQL of the one that npm brings. One per test file is meant: `beforeAll` starts it and
 * makes the migrated template, each test clones that.
 */
export async function startPostgres(): Promise<PostgresServer> {
  const directory = await claimDirectory('postgres', 'postmaster.pid');
  const port = await freePort();
  const logFile = join(directory, 'server.log');
  const account = await serverAccount();
  const binaries = await findBinaries();
  const url = (database: string): string => `postgres://${user}:${password}@127.0.0.1:${port}/${database}`;
  let server: ServerProcess | undefined;

  const start = async (): Promise<void> => {
    server = await spawnServer({ postgres: binaries.postgres, directory, port, account, logFile, settings });
    for (const until = performance.now() + startMsMax; server.isRunning() && performance.now() < until;) {
      if (await answers(url('postgres'))) return;
      await pause(20);
    }
    server.signal('SIGQUIT');
    throw new Error(`PostgreSQL did not start:\n${await readFile(logFile, 'utf8')}`);
  };
  const postmaster = (): number | undefined => readPid(join(directory, 'postmaster.pid'));
  const killOnExit = (): void => {
    const pid = postmaster();
    if (pid !== undefined) kill(pid, 'SIGQUIT');
  };

  await makeDataDirectory({ directory, initdb: binaries.initdb, account, user, password, flags: ['--no-sync'] });
  await start();
  process.once('exit', killOnExit);

  let admin = connect(url('postgres'));
  let databases = 0;

  const create = async (template?: string): Promise<string> => {
    const name = `test_${++databases}`;
    await admin`CREATE DATABASE ${admin(name)} TEMPLATE ${admin(template ?? 'template0')}`;
    return name;
  };

  return {
    url,
    async createDatabase(options = {}) {
      const name = await create(options.template);
      return {
        url: url(name),
        async drop() {
          await admin`DROP DATABASE IF EXISTS ${admin(name)} WITH (FORCE)`;
        },
      };
    },
    async migratedTemplate(migrate) {
      const name = await create();
      await migrate(url(name));
      return name;
    },
    async kill9() {
      const pid = postmaster();
      if (pid === undefined) return;
      await admin.end({ timeout: 1 });
      kill(pid, 'SIGKILL');
      await until(() => !isAlive(pid));
    },
    async restart() {
      // The backends of the killed server notice its death by themselves; until then the data directory is locked.
      for (const until = performance.now() + startMsMax; ;) {
        try {
          await start();
          break;
        } catch (error) {
          if (performance.now() > until) throw error;
          await pause(100);
        }
      }
      admin = connect(url('postgres'));
    },
    async stop() {
      process.removeListener('exit', killOnExit);
      await admin.end({ timeout: 1 });
      server?.signal('SIGINT');
      await server?.exited;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function connect(url: string): postgres.Sql {
  return postgres(url, { max: 1, onnotice: () => undefined });
}

async function answers(url: string): Promise<boolean> {
  const client = postgres(url, { max: 1, connect_timeout: 2 });
  try {
    await client`SELECT 1`;
    return true;
  } catch {
    return false;
  } finally {
    await client.end({ timeout: 1 });
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await pause(5);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
