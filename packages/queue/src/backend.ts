import {
  createPostgresBackend,
  createPostgresRelayBackend,
  createRedisBackend,
  createRedisRelayBackend,
  runMigrations,
  type BackendFactory,
  type RelayBackendFactory,
} from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';

import { LoamError } from '@loam/base';

/** BullMQ's default; its functions live in a schema of their own, beside ours in the same database. */
const schema = 'bullmq';

/** What BullMQ's classes need to stand on one datastore. Its connections are shared by all of a process's queues. */
export interface QueueBackend {
  readonly kind: 'redis' | 'postgres';
  readonly connection: unknown;
  readonly factory: BackendFactory;
  readonly relayFactory: RelayBackendFactory;
  /** Seconds for which an idle worker waits before it looks by itself. */
  readonly drainDelay: number;
  /** Announces one more user that keeps a connection for itself to listen on. */
  reserveListener(): void;
  /** Calls back when a connection that was lost is there again. */
  onReconnected(callback: () => void): void;
  /** Whether the server is gone at the moment, as far as is known: then nothing can be ended in good order. */
  isDown(): boolean;
  close(): Promise<void>;
}

/** Connects to `redis://…`, `rediss://…` or `postgres://…`; migrates BullMQ's schema in the latter case. */
export async function openBackend(url: string, onError: (error: Error) => void): Promise<QueueBackend> {
  const scheme = /^([a-z]+):\/\//.exec(url)?.[1] ?? '';
  if (scheme === 'redis' || scheme === 'rediss') return await openRedis(url, onError);
  if (scheme === 'postgres' || scheme === 'postgresql') return await openPostgres(url, onError);
  throw LoamError.of('queue.bad-url', { scheme: scheme || 'none' });
}

async function openRedis(url: string, onError: (error: Error) => void): Promise<QueueBackend> {
  let closing = false;
  // BullMQ waits for a lost server as long as it takes, and so asks that requests are never given up.
  const connection = new Redis(url, {
    maxRetriesPerRequest: null,
    lazyConnect: true,
    // Workers duplicate this connection with its options, so this ends theirs too.
    retryStrategy: (times) => (closing ? null : Math.min(50 * 2 ** times, 1_000)),
  });
  const reconnected: (() => void)[] = [];
  connection.on('error', onError);
  try {
    await connection.connect();
  } catch (cause) {
    connection.disconnect();
    throw LoamError.of('queue.unreachable', { kind: 'Redis' }, { cause });
  }
  connection.on('ready', () => {
    for (const callback of reconnected) callback();
  });
  return {
    kind: 'redis',
    connection,
    factory: createRedisBackend as BackendFactory,
    relayFactory: createRedisRelayBackend as RelayBackendFactory,
    drainDelay: 5,
    reserveListener: () => undefined,
    onReconnected: (callback) => reconnected.push(callback),
    isDown: () => connection.status !== 'ready',
    async close() {
      closing = true;
      // `quit` would wait for a server that is gone.
      connection.disconnect();
    },
  };
}

async function openPostgres(url: string, onError: (error: Error) => void): Promise<QueueBackend> {
  const pool = new pg.Pool({
    connectionString: url,
    options: `-c search_path=${schema}`,
    application_name: 'loam-queue',
    keepAlive: true,
    max: 4,
  });
  // Each of BullMQ's objects adds a listener.
  pool.setMaxListeners(0);
  pool.on('error', onError);
  try {
    const client = await pool.connect();
    try {
      await runMigrations(client);
    } finally {
      client.release();
    }
  } catch (cause) {
    await pool.end();
    throw LoamError.of('queue.unreachable', { kind: 'Postgres' }, { cause });
  }
  return {
    kind: 'postgres',
    connection: pool,
    factory: createPostgresBackend as BackendFactory,
    relayFactory: createPostgresRelayBackend as RelayBackendFactory,
    drainDelay: 30,
    reserveListener() {
      // A listener checks a client out of the pool and keeps it; the room for queries stays what it is.
      pool.options.max += 1;
    },
    // The queue is in the database that holds the truth: it cannot be lost alone.
    onReconnected: () => undefined,
    // It refuses at once, so that nothing waits.
    isDown: () => false,
    async close() {
      await pool.end();
    },
  };
}
