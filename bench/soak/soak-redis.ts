import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';

import { freePort } from '@loam/postgres-server';

/** A Redis that keeps nothing on disk: each kill loses all that it held. */
export interface SoakRedis {
  readonly url: string;
  readonly pid: () => number;
  kill(): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}

export async function startRedis(directory: string): Promise<SoakRedis> {
  mkdirSync(directory, { recursive: true });
  const port = await freePort();
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', '', '--appendonly', 'no'];
  const launch = (): ChildProcess => spawn('redis-server', args, { stdio: 'ignore' });
  let server = launch();
  const end = async (name: NodeJS.Signals): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const exited = once(server, 'exit');
    server.kill(name);
    await exited;
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    pid: () => server.pid ?? -1,
    kill: () => end('SIGKILL'),
    start: () => void (server = launch()),
    stop: () => end('SIGTERM'),
  };
}
