import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MessageShape } from '@bufbuild/protobuf';
import { sleep, systemClock } from '@loam/base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connect, type Containerd } from '../client.ts';
import { Content, WriteAction, type WriteContentRequestSchema } from '../gen/services/content_pb.ts';
import { GrpcStatusError, handle, localEndpoint, serveGrpc, type GrpcHandler } from '../testing/grpc-server.ts';

type Request = MessageShape<typeof WriteContentRequestSchema>;
type Answer = { action: WriteAction; offset?: bigint; digest?: string };

const mebibyte = 1024 * 1024;
let directory: string;
let client: Containerd;
let server: { close(): Promise<void> } | undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'loam-write-'));
  // No time passes, so that nobody who waits for a lock gives up.
  const clock = { ...systemClock, monotonic: () => 0 };
  client = connect({ address: localEndpoint(join(directory, 's')), namespace: 'test', clock });
});

afterEach(async () => {
  client.close();
  await server?.close();
  await rm(directory, { recursive: true });
});

/** A content store with one ingest, which records what it is sent. `react` may answer otherwise than containerd. */
async function serveStore(
  options: { stored?: number; holdUntil?: (requests: Request[]) => boolean; react?: (request: Request) => void } = {},
  more: GrpcHandler[] = [],
): Promise<Request[]> {
  const requests: Request[] = [];
  let offset = BigInt(options.stored ?? 0);
  const write = handle(Content.method.write, async function* (incoming): AsyncGenerator<Answer> {
    let held: Answer[] = [];
    for await (const request of incoming) {
      requests.push(request);
      options.react?.(request);
      offset += BigInt(request.data.length);
      held.push({ action: request.action, offset, digest: request.action === WriteAction.COMMIT ? 'sha256:made' : '' });
      if (request.action === WriteAction.WRITE && options.holdUntil && !options.holdUntil(requests)) continue;
      yield* held;
      held = [];
      if (request.action === WriteAction.COMMIT) return;
    }
  });
  server = await serveGrpc(localEndpoint(join(directory, 's')), [write, ...more]);
  return requests;
}

const bytesFrom = (bytes: Uint8Array, pieceBytes: number) =>
  async function* (offset: number): AsyncGenerator<Uint8Array> {
    for (let at = offset; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  };

describe('a write of a blob', () => {
  it('asks first, sends pieces of 1 MiB at their offsets, and tells all bytes in the commit', async () => {
    const requests = await serveStore();
    const bytes = new Uint8Array(2.5 * mebibyte).fill(7);
    const progress: number[] = [];
    const written = await client.content.writeBlob({
      ref: 'r',
      source: bytesFrom(bytes, 300_000),
      expected: 'sha256:promised',
      total: bytes.length,
      labels: { a: 'b' },
      onProgress: (offset) => progress.push(offset),
    });
    expect(requests.map(({ action, offset, data }) => [action, Number(offset), data.length])).toEqual([
      [WriteAction.STAT, 0, 0],
      [WriteAction.WRITE, 0, mebibyte],
      [WriteAction.WRITE, mebibyte, mebibyte],
      [WriteAction.WRITE, 2 * mebibyte, mebibyte / 2],
      [WriteAction.COMMIT, bytes.length, 0],
    ]);
    expect(requests.every(({ ref, expected }) => ref === 'r' && expected === 'sha256:promised')).toBe(true);
    expect(requests.at(-1)).toMatchObject({ total: BigInt(bytes.length), labels: { a: 'b' } });
    expect(written).toEqual({ digest: 'sha256:made', size: bytes.length, existed: false });
    expect(progress).toEqual([mebibyte, 2 * mebibyte, bytes.length, bytes.length]);
  });

  it('does not wait for the answer to each piece', async () => {
    const fiveOnTheirWay = (requests: Request[]): boolean => requests.length >= 6;
    await serveStore({ holdUntil: fiveOnTheirWay });
    const written = client.content.writeBlob({ ref: 'r', source: bytesFrom(new Uint8Array(5 * mebibyte), mebibyte) });
    await expect(written).resolves.toMatchObject({ size: 5 * mebibyte });
  });

  it('goes on where the daemon is', async () => {
    const requests = await serveStore({ stored: 1000 });
    let askedFrom = -1;
    await client.content.writeBlob({
      ref: 'r',
      source: (offset) => {
        askedFrom = offset;
        return bytesFrom(new Uint8Array(1500), 100)(offset);
      },
    });
    expect(askedFrom).toBe(1000);
    expect(requests.map(({ action, offset }) => [action, Number(offset)])).toEqual([
      [WriteAction.STAT, 0],
      [WriteAction.WRITE, 1000],
      [WriteAction.COMMIT, 1500],
    ]);
  });

  it('whose source breaks off is not given up before what was sent is stored', async () => {
    const told: string[] = [];
    const write = handle(Content.method.write, async function* (incoming, call): AsyncGenerator<Answer> {
      const givenUp = new Promise<void>((resolve) => call.signal.addEventListener('abort', () => resolve()));
      let offset = 0n;
      for await (const { action, data } of incoming) {
        if (action === WriteAction.WRITE) {
          told.push(await Promise.race([givenUp.then(() => 'given up'), sleep(systemClock, 200).then(() => 'stored')]));
        }
        offset += BigInt(data.length);
        yield { action, offset };
      }
    });
    server = await serveGrpc(localEndpoint(join(directory, 's')), [write]);
    const broken = new Error('the connection dropped');
    async function* source(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(mebibyte);
      await Promise.resolve();
      throw broken;
    }
    await expect(client.content.writeBlob({ ref: 'r', source })).rejects.toBe(broken);
    expect(told).toEqual(['stored']);
  });

  it('of a blob that is there already succeeds without reading the source, and sets the labels', async () => {
    const updates: string[] = [];
    const digest = `sha256:${'a'.repeat(64)}`;
    await serveStore(
      {
        react: () => {
          throw new GrpcStatusError(6, `content ${digest}: already exists`);
        },
      },
      [
        handle(Content.method.info, async function* () {
          yield { info: { digest, size: 5n } };
        }),
        handle(Content.method.update, async function* (requests) {
          for await (const request of requests) updates.push(...(request.updateMask?.paths ?? []));
          yield {};
        }),
      ],
    );
    const source = (): AsyncIterable<Uint8Array> => {
      throw new Error('the source was read');
    };
    const written = await client.content.writeBlob({ ref: 'r', source, labels: { 'x/y': 'z' } });
    expect(written).toEqual({ digest, size: 5, existed: true });
    expect(updates).toEqual(['labels.x/y']);
  });

  it('throws away bytes that are not what was promised, so that a retry begins anew', async () => {
    const aborted: string[] = [];
    await serveStore(
      {
        react: ({ action }) => {
          if (action === WriteAction.COMMIT) throw new GrpcStatusError(9, 'unexpected commit digest');
        },
      },
      [
        handle(Content.method.abort, async function* (requests) {
          for await (const { ref } of requests) aborted.push(ref);
          yield {};
        }),
      ],
    );
    const written = client.content.writeBlob({ ref: 'r', source: bytesFrom(new Uint8Array(10), 10) });
    await expect(written).rejects.toMatchObject({ code: 'containerd.failed-precondition' });
    expect(aborted).toEqual(['r']);
  });

  it('waits for the lock of a writer that has just gone', async () => {
    let attempts = 0;
    await serveStore({
      react: ({ action }) => {
        if (action === WriteAction.STAT && ++attempts < 3)
          throw new GrpcStatusError(14, 'ref r locked for 1s: unavailable');
      },
    });
    await client.content.writeBlob({ ref: 'r', source: bytesFrom(new Uint8Array(10), 10) });
    expect(attempts).toBe(3);
  });

  it('ends with the error of its source, and leaves no call behind', async () => {
    await serveStore();
    const broken = new Error('the registry hung up');
    const source = async function* (): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(2 * mebibyte);
      throw broken;
    };
    await expect(client.content.writeBlob({ ref: 'r', source })).rejects.toBe(broken);
  });

  it('ends as cancelled while the daemon is silent', async () => {
    await serveStore({ holdUntil: () => false });
    const abort = new AbortController();
    const source = async function* (): AsyncGenerator<Uint8Array> {
      yield createHash('sha256').digest();
      abort.abort();
    };
    const written = client.content.writeBlob({ ref: 'r', source }, { signal: abort.signal });
    await expect(written).rejects.toMatchObject({ code: 'general.cancelled' });
  });
});
