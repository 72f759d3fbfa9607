import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { localEndpoint } from '@loam/containerd/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { PipeStdio } from './pipe-stdio.ts';

/** Unix sockets stand in for named pipes; the shim's part is played by plain clients. */
let directory: string;
let output: { stdout: string; stderr: string };
let open: PipeStdio[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'loam-pipes-'));
  output = { stdout: '', stderr: '' };
  open = [];
});
afterEach(async () => {
  for (const stdio of open) await stdio.close();
  expect(await readdir(directory)).toEqual([]);
  await rm(directory, { recursive: true });
});

async function listen(withStdin = false): Promise<PipeStdio> {
  const stdio = await PipeStdio.listen({
    prefix: localEndpoint(join(directory, 'run')),
    withStdin,
    onOutput: (stream, bytes) => (output[stream] += Buffer.from(bytes).toString()),
  });
  open.push(stdio);
  return stdio;
}

function dial(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => resolve(socket));
    socket.once('error', reject);
  });
}

async function write(path: string, text: string): Promise<void> {
  const socket = await dial(path);
  await new Promise<void>((resolve) => socket.end(text, resolve));
}

const closed = (socket: Socket): Promise<void> => new Promise((resolve) => socket.once('close', () => resolve()));

describe('stdio over pipes', () => {
  it('rule 5: all pipes listen before the task is created', async () => {
    const { stdin, stdout, stderr } = await listen(true);
    const sockets = await Promise.all([stdin ?? '', stdout, stderr].map(dial));
    for (const socket of sockets) socket.destroy();
  });

  it('§11.2 #22: keeps both outputs apart, and has ended when both have', async () => {
    const stdio = await listen();
    const [stdout, stderr] = await Promise.all([dial(stdio.stdout), dial(stdio.stderr)]);
    stdout.end('out');
    await closed(stdout);
    let isOver = false;
    const ended = stdio.ended.then(() => (isOver = true));
    await new Promise((resolve) => stderr.write('err', resolve));
    expect(isOver).toBe(false);
    stderr.end();
    await ended;
    expect(output).toEqual({ stdout: 'out', stderr: 'err' });
  });

  it('appends what comes over a second connection when the first one broke', async () => {
    const stdio = await listen();
    const stderr = await dial(stdio.stderr);
    await write(stdio.stdout, 'first ');
    const again = await dial(stdio.stdout);
    again.end('second');
    await closed(again.resume());
    stderr.end();
    await stdio.ended;
    expect(output.stdout).toBe('first second');
  });

  it('rule 6: takes a flood without holding its writer up', async () => {
    const stdio = await listen();
    await write(stdio.stderr, '');
    const socket = await dial(stdio.stdout);
    const ended = stdio.ended;
    const chunk = 'x'.repeat(64 * 1024);
    for (let number = 0; number < 256; number++) socket.write(chunk);
    socket.end();
    await ended;
    expect(output.stdout.length).toBe(256 * chunk.length);
  });

  it('hands over standard input from the beginning, then its end', async () => {
    const stdio = await listen(true);
    const first = stdio.write(Buffer.from('hello '));
    const socket = await dial(stdio.stdin ?? '');
    let text = '';
    socket.on('data', (bytes: Buffer) => (text += bytes.toString()));
    expect(await first).toBe(true);
    expect(await stdio.write(Buffer.from('world'))).toBe(true);
    await stdio.endInput();
    await closed(socket);
    expect(text).toBe('hello world');
    expect(await stdio.write(Buffer.from('late'))).toBe(false);
  });

  it('gives standard input to who dials first, and turns others away', async () => {
    const stdio = await listen(true);
    const first = await dial(stdio.stdin ?? '');
    const second = await dial(stdio.stdin ?? '');
    let text = '';
    first.on('data', (bytes: Buffer) => (text += bytes.toString()));
    await closed(second.resume());
    await stdio.write(Buffer.from('hello'));
    await stdio.endInput();
    await closed(first);
    expect(text).toBe('hello');
  });

  it('stops feeding a process that reads no more', async () => {
    const stdio = await listen(true);
    const socket = await dial(stdio.stdin ?? '');
    socket.destroy();
    const chunk = Buffer.alloc(1 << 20);
    let left = 100;
    while (left > 0 && (await stdio.write(chunk))) left--;
    expect(left).toBeGreaterThan(0);
    await stdio.endInput();
  });

  it('closes although nobody has dialled, and what waits for a dial learns it', async () => {
    const stdio = await listen(true);
    const writing = stdio.write(Buffer.from('x'));
    const { ended } = stdio;
    await stdio.close();
    await ended;
    expect(await writing).toBe(false);
  });

  it('fails when a name is taken, and leaves none of its own', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(localEndpoint(join(directory, 'run-stderr')), resolve));
    await expect(listen(true)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    expect(await readdir(directory)).toEqual(['run-stderr']);
    await new Promise((resolve) => other.close(resolve));
  });
});
