import { spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { connect, type Containerd } from '@loam/containerd';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { ContainerdModel } from './model.ts';

const role = process.env['LOAM_LANE_ROLE'];
const megabyte = 1 << 20;

if (role !== undefined) {
  // The other process: serves the model until it is killed.
  const [address = '', directory = ''] = JSON.parse(role) as string[];
  await ContainerdModel.start({ address, rootDirectory: join(directory, 'root') });
  writeFileSync(join(directory, 'serves'), '');
} else {
  const directory = mkdtempSync(join(tmpdir(), 'loam-grpc-'));
  const name = `loam-lane-${randomUUID()}`;
  const address = `\\\\.\\pipe\\${name}`;
  let server: ChildProcess;
  let client: Containerd;

  const serve = async (): Promise<void> => {
    rmSync(join(directory, 'serves'), { force: true });
    const env = { ...process.env, LOAM_LANE_ROLE: JSON.stringify([address, directory]) };
    server = spawn(process.execPath, [process.argv[1] ?? ''], { env, stdio: 'ignore' });
    await vi.waitFor(() => expect(existsSync(join(directory, 'serves'))).toBe(true));
  };
  const kill = async (): Promise<void> => {
    const exited = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGKILL');
    await exited;
  };
  beforeAll(async () => {
    await serve();
    client = connect({ address, namespace: 'lane' });
    await client.namespaces.ensure();
  });
  afterAll(async () => {
    client.close();
    await kill();
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  });

  describe('gRPC over a named pipe, with another process as the model of containerd', () => {
    it('answers under either spelling of the address', async () => {
      expect((await client.version()).version).toMatch(/^v2/);
      const other = connect({ address: `npipe:////./pipe/${name}`, namespace: 'lane' });
      expect(await other.version()).toEqual(await client.version());
      other.close();
    });

    it('carries 20 MB up and down again', async () => {
      const bytes = randomBytes(20 * megabyte);
      const source = async function* (offset: number) {
        await Promise.resolve();
        for (let at = offset; at < bytes.length; at += megabyte) yield bytes.subarray(at, at + megabyte);
      };
      const { digest, size } = await client.content.writeBlob({ ref: 'large', source });
      expect([digest, size]).toEqual([`sha256:${createHash('sha256').update(bytes).digest('hex')}`, bytes.length]);
      const parts: Uint8Array[] = [];
      for await (const part of client.content.read(digest)) parts.push(part);
      expect(Buffer.concat(parts).equals(bytes)).toBe(true);
    });

    it('tells what is not there by a code, and other calls go on meanwhile', async () => {
      const calls = Array.from({ length: 50 }, (_, index) =>
        index % 2 === 0 ? client.version() : client.containers.get(`none-${index}`),
      );
      const outcomes = await Promise.allSettled(calls);
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(25);
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'containerd.not-found' });
      }
    });

    it('connects anew a hundred times', async () => {
      for (let times = 0; times < 100; times++) {
        const fresh = connect({ address, namespace: 'lane' });
        await fresh.version();
        fresh.close();
      }
    });

    it('is unavailable while the daemon is away, and there again when it is', async () => {
      await kill();
      await expect(client.version()).rejects.toMatchObject({ code: 'containerd.unavailable' });
      await serve();
      expect((await client.version()).version).toMatch(/^v2/);
    });
  });
}
