import { createHash } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';

import { LoamError } from '@loam/base';

/** The right to use a state directory. */
export interface AgentLock {
  release(): Promise<void>;
}

/**
 * Takes the exclusive right to a state directory. It is held by a listening endpoint that the kernel removes with the
 * process (an abstract Unix socket, on Windows a named pipe), so a crash can leave nothing behind to be cleaned up.
 * Throws `backend.state-locked` when another process holds it. Does not see holders in other network namespaces.
 */
export async function lockStateDirectory(stateDirectory: string): Promise<AgentLock> {
  const identity = createHash('sha256')
    .update(await realpath(stateDirectory))
    .digest('hex')
    .slice(0, 32);
  const address = process.platform === 'win32' ? `\\\\.\\pipe\\loam-state-${identity}` : `\0loam-state-${identity}`;
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.end(String(process.pid));
  });
  try {
    await listen(server, address);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw LoamError.of('backend.state-locked', { directory: stateDirectory, pid: await holder(address) });
  }
  server.unref();
  return { release: () => new Promise((resolve) => server.close(() => resolve())) };
}

function listen(server: Server, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(address, () => resolve());
  });
}

/** The pid that the holder tells; `unknown` when it is just going away. */
function holder(address: string): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(address);
    socket.setTimeout(1000, () => socket.destroy());
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => (text += chunk));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => resolve(text === '' ? 'unknown' : text));
  });
}
