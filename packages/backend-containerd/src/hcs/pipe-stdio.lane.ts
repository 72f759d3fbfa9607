import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, describe, expect, it } from 'vitest';

import { OutputSpool } from './output-spool.ts';
import { PipeStdio } from './pipe-stdio.ts';

const role = process.env['LOAM_LANE_ROLE'];
const megabyte = 1 << 20;

/** The other process: dials as the reference (§5.1, §5.2) says that the shim does, and does one thing. */
async function fakeShim(what: string, prefix: string): Promise<void> {
  const dial = (name: string): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const socket = connect(`${prefix}-${name}`, () => resolve(socket));
      socket.once('error', reject);
    });
  const stderr = await dial('stderr');
  const stdout = await dial('stdout');
  const write = (text: string | Buffer): Promise<void> =>
    new Promise((resolve, reject) => stdout.write(text, (error) => (error ? reject(error) : resolve())));
  if (what === 'flood') {
    const block = Buffer.alloc(megabyte, 'loam ');
    for (let number = 0; number < 64; number++) await write(block);
  } else if (what === 'leave') {
    // Everything is handed to the pipe at once, and the process is gone while the other end still reads.
    stdout.write(Buffer.alloc(megabyte, 'x'));
    await new Promise((resolve) => stdout.end('the end', resolve as () => void));
    process.exit(0);
  } else if (what === 'break') {
    await write('before ');
    process.exit(1);
  } else if (what === 'echo') {
    const stdin = await dial('stdin');
    for await (const bytes of stdin) await write(bytes as Buffer);
  } else {
    await write(what);
  }
  stdout.end();
  stderr.end();
}

if (role !== undefined) {
  const [what = '', prefix = ''] = JSON.parse(role) as string[];
  await fakeShim(what, prefix);
} else {
  const home = mkdtempSync(join(tmpdir(), 'loam-shim-'));
  const open: { close(): Promise<void> }[] = [];
  const children: ChildProcess[] = [];
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
  });
  afterAll(() => {
    for (const child of children) child.kill('SIGKILL');
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  });

  const listen = async (onOutput: (bytes: Uint8Array) => void, withStdin = false) => {
    const prefix = `\\\\.\\pipe\\loam-lane-${randomUUID()}`;
    const stdio = await PipeStdio.listen({ prefix, withStdin, onOutput: (_, bytes) => onOutput(bytes) });
    open.push(stdio);
    const run = (what: string): Promise<number | null> => {
      const env = { ...process.env, LOAM_LANE_ROLE: JSON.stringify([what, prefix]) };
      const child = spawn(process.execPath, [process.argv[1] ?? ''], { env, stdio: 'ignore' });
      children.push(child);
      return new Promise((resolve) => child.once('exit', resolve));
    };
    return { stdio, run };
  };

  describe('stdio over named pipes with another process as the shim', () => {
    it('takes 64 MB without losing a byte', async () => {
      let size = 0;
      const { stdio, run } = await listen((bytes) => (size += bytes.length));
      expect(await run('flood')).toBe(0);
      await stdio.ended;
      expect(size).toBe(64 * megabyte);
    });

    it('§5.2: takes what a process wrote that was gone before it was read', async () => {
      const parts: Uint8Array[] = [];
      const { stdio, run } = await listen((bytes) => parts.push(bytes));
      expect(await run('leave')).toBe(0);
      await stdio.ended;
      const all = Buffer.concat(parts);
      expect(all.length).toBe(megabyte + 'the end'.length);
      expect(all.subarray(megabyte).toString()).toBe('the end');
    });

    it('§5.1: appends what comes when a broken pipe is dialled again', async () => {
      let text = '';
      const { stdio, run } = await listen((bytes) => (text += Buffer.from(bytes).toString()));
      expect(await run('break')).toBe(1);
      expect(await run('after')).toBe(0);
      await stdio.ended;
      expect(text).toBe('before after');
    });

    it('feeds standard input to its end', async () => {
      const parts: Uint8Array[] = [];
      const { stdio, run } = await listen((bytes) => parts.push(bytes), true);
      const exit = run('echo');
      const sent = 'line ☃\n'.repeat(20_000);
      expect(await stdio.write(Buffer.from(sent))).toBe(true);
      await stdio.endInput();
      expect(await exit).toBe(0);
      await stdio.ended;
      expect(Buffer.concat(parts).toString() === sent).toBe(true);
    });

    it('rule 6: a slow reader of the spool does not hold the shim up', async () => {
      const spool = new OutputSpool(join(home, 'spool'));
      const { stdio, run } = await listen((bytes) => spool.write(bytes));
      const reader = spool.read()[Symbol.asyncIterator]();
      // The shim is done, and gone, before its output has been read for the first time.
      expect(await run('flood')).toBe(0);
      await stdio.ended;
      spool.end();
      let size = 0;
      for (let next = await reader.next(); !next.done; next = await reader.next()) size += next.value.length;
      expect(size).toBe(64 * megabyte);
      await spool.remove();
    });
  });
}
