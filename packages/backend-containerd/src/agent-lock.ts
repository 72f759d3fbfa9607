import { createHash } from 'node:crypto';
import { closeSync, constants, openSync } from 'node:fs';
import { readFile, realpath, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';

import { LoamError } from '@loam/base';
import { untilFree } from '@loam/files';

/** The right to use a state directory. */
export interface AgentLock {
  release(): Promise<void>;
}

/**
 * Takes the exclusive right to a state directory. The kernel gives it back with the process, so a crash leaves nothing to be
 * cleaned up. Throws `backend.state-locked` when another process holds it.
 */
export function lockStateDirectory(stateDirectory: string): Promise<AgentLock> {
  return process.platform === 'win32' ? lockByFile(stateDirectory) : lockBySocket(stateDirectory);
}

/** A listening abstract Unix socket. Does not see holders in other network namespaces. */
async function lockBySocket(stateDirectory: string): Promise<AgentLock> {
  const identity = createHash('sha256')
    .update(await realpath(stateDirectory))
    .digest('hex')
    .slice(0, 32);
  const address = `\0loam-state-${identity}`;
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

/** UV_FS_O_EXLOCK of libuv's documentation ("File open constants"): opened so, a file cannot be opened by anybody else. */
const exclusive = 0x1000_0000;
/** A file that is open and shared with nobody: whatever the directory is called, and whoever asks, it is this file. */
async function lockByFile(stateDirectory: string): Promise<AgentLock> {
  const lockFile = join(stateDirectory, 'lock');
  const holderFile = join(stateDirectory, 'lock-holder');
  // A descriptor, since a handle that nobody holds is closed by the collector.
  let fd: number;
  try {
    // A scanner has it for a moment only.
    fd = await untilFree(() => openSync(lockFile, constants.O_RDWR | constants.O_CREAT | exclusive, 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
    const pid = await readFile(holderFile, 'utf8').catch(() => 'unknown');
    throw LoamError.of('backend.state-locked', { directory: stateDirectory, pid });
  }
  try {
    await untilFree(() => writeFile(holderFile, String(process.pid)));
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return { release: () => Promise.resolve(closeSync(fd)) };
}

function listen(server: Server, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(address, () => resolve());
  });
}

/** A holder that is stopped, or that gets no processor, takes its time. Nothing is missed by waiting: we are refused anyway. */
const holderAnswersMs = 10_000;

/** The pid that the holder tells; `unknown` when it is just going away. */
function holder(address: string): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(address);
    socket.setTimeout(holderAnswersMs, () => socket.destroy());
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => (text += chunk));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => resolve(text === '' ? 'unknown' : text));
  });
}
