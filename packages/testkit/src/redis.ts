import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';

import { freePort } from '@loam/postgres-server';

import { claimDirectory } from './leftovers.ts';

const startTimeoutMs = 120_000;

/** A Redis of this test process alone, on a random port of the loopback. */
export interface RedisServer {
  /** `redis://127.0.0.1:…` */
  readonly url: string;
  /** Kills the server as a crash would. */
  kill9(): Promise<void>;
  /** Starts it again on the same port: empty, or with its data when it was started as `persistent`. */
  restart(): Promise<void>;
  /** Ends the server and deletes its data. */
  stop(): Promise<void>;
}

/** Starts Debian's redis-server. It keeps nothing on disk unless `persistent`: then every write is logged. */
export async function startRedis(options: { persistent?: boolean } = {}): Promise<RedisServer> {
  const directory = await claimDirectory('redis', 'redis.pid');
  const port = await freePort();
  const settings = {
    port: String(port),
    bind: '127.0.0.1',
    dir: directory,
    pidfile: `${directory}/redis.pid`,
    save: '',
    appendonly: options.persistent ? 'yes' : 'no',
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  let server = await launch(args);
  const killOnExit = (): void => void server.kill('SIGKILL');
  process.once('exit', killOnExit);

  return {
    url: `redis://127.0.0.1:${port}`,
    async kill9() {
      await end(server, 'SIGKILL');
    },
    async restart() {
      await end(server, 'SIGTERM');
      server = await launch(args);
    },
    async stop() {
      process.removeListener('exit', killOnExit);
      await end(server, 'SIGKILL');
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Starts the server and resolves when its log says that it serves. */
async function launch(args: readonly string[]): Promise<ChildProcess> {
  const server = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const tail: string[] = [];
  await new Promise<void>((resolve, reject) => {
    const fail = (why: string): void => reject(new Error(`redis-server ${why}\n${tail.join('\n')}`));
    const timer = setTimeout(() => fail(`did not start within ${startTimeoutMs} ms`), startTimeoutMs);
    createInterface({ input: server.stdout }).on('line', (line) => {
      tail.push(line);
      if (tail.length > 30) tail.shift();
      if (/ready to accept connections/i.test(line)) {
        clearTimeout(timer);
        resolve();
      }
    });
    server.once('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      if (error.code === 'ENOENT') {
        fail('is not installed: apt-get install redis-server (Debian package redis-server)');
      } else fail(`could not be started: ${error.message}`);
    });
    server.once('exit', (code, signal) => {
      clearTimeout(timer);
      fail(`ended at its start (${signal ?? code})`);
    });
  });
  return server;
}

async function end(server: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const exited = once(server, 'exit');
  server.kill(signal);
  await exited;
}
