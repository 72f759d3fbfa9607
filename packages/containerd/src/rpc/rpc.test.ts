import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LoamError, TestClock } from '@loam/base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connect, type Containerd } from '../client.ts';
import { Events } from '../gen/services/events_pb.ts';
import { Snapshots } from '../gen/services/snapshots_pb.ts';
import { Version } from '../gen/services/version_pb.ts';
import { GrpcStatusError, handle, localEndpoint, serveGrpc, type GrpcHandler } from '../testing/grpc-server.ts';

let directory: string;
let path: string;
let clock: TestClock;
let client: Containerd;
let servers: { close(): Promise<void> }[];

async function serve(...handlers: GrpcHandler[]): Promise<{ close(): Promise<void> }> {
  const server = await serveGrpc(path, handlers);
  servers.push(server);
  return server;
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'loam-rpc-'));
  path = localEndpoint(join(directory, 's'));
  clock = new TestClock();
  client = connect({ address: path, namespace: 'test', clock });
  servers = [];
});

afterEach(async () => {
  client.close();
  await Promise.all(servers.map((server) => server.close()));
  await rm(directory, { recursive: true });
});

const version = handle(Version.method.version, async function* () {
  yield { version: '1.6.0' };
});

describe('a call', () => {
  it('tells its namespace, its lease and its deadline', async () => {
    let headers: Record<string, unknown> = {};
    await serve(
      handle(Snapshots.method.remove, async function* (_, call) {
        headers = call.headers;
        yield {};
      }),
    );
    await client.snapshots('overlayfs').remove('key', { lease: 'lease-1', timeoutMs: 1234 });
    expect(headers).toMatchObject({
      'containerd-namespace': 'test',
      'containerd-lease': 'lease-1',
      'grpc-timeout': '1234m',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
  });

  it('ends as cancelled when its signal aborts, and the daemon is told', async () => {
    const begun = Promise.withResolvers<void>();
    const seen = Promise.withResolvers<void>();
    await serve(
      handle(Version.method.version, async function* (_, call) {
        call.signal.addEventListener('abort', () => seen.resolve());
        begun.resolve();
        await seen.promise;
        yield {};
      }),
    );
    const abort = new AbortController();
    const answer = client.version({ signal: abort.signal });
    await begun.promise;
    abort.abort();
    await expect(answer).rejects.toMatchObject({ code: 'general.cancelled' });
    await seen.promise;
  });

  it('keeps the reason of an abort when that is an error of ours', async () => {
    const reason = LoamError.of('containerd.task-failed', { reason: 'x' });
    await expect(client.version({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  it('fails when its deadline passes, even if the daemon never reacts', async () => {
    const begun = Promise.withResolvers<void>();
    await serve(
      handle(Version.method.version, async function* (_, call) {
        begun.resolve();
        await new Promise((resolve) => call.signal.addEventListener('abort', resolve));
        yield {};
      }),
    );
    const answer = client.version();
    const failed = expect(answer).rejects.toMatchObject({
      code: 'containerd.deadline-exceeded',
      message: 'containerd took too long over Version.Version.',
    });
    await begun.promise;
    await clock.advance(5000);
    await failed;
  });

  it('gives the words of the daemon to logs only, decoded', async () => {
    await serve(
      handle(Version.method.version, async function* () {
        if (clock.now() > 0) throw new GrpcStatusError(9, 'größer als 100%');
        yield {};
      }),
    );
    await expect(client.version()).rejects.toMatchObject({
      code: 'containerd.failed-precondition',
      internal: 'Version.Version: größer als 100% (gRPC code 9)',
    });
  });

  it('to a method that the daemon does not know is unimplemented', async () => {
    await serve();
    await expect(client.version()).rejects.toMatchObject({ code: 'containerd.unimplemented' });
  });
});

describe('the connection', () => {
  it('that cannot be made is unavailable, and the next call tries again', async () => {
    await expect(client.version()).rejects.toMatchObject({ code: 'containerd.unavailable' });
    await serve(version);
    await expect(client.version()).resolves.toMatchObject({ version: '1.6.0' });
  });

  it('that breaks ends what is under way as unavailable, and is made anew by the next call', async () => {
    const begun = Promise.withResolvers<void>();
    const server = await serve(
      handle(Version.method.version, async function* (_, call) {
        begun.resolve();
        await new Promise((resolve) => call.signal.addEventListener('abort', resolve));
        yield {};
      }),
    );
    const answer = client.version();
    const failed = expect(answer).rejects.toMatchObject({ code: 'containerd.unavailable' });
    await begun.promise;
    await server.close();
    servers = [];
    await failed;
    await serve(version);
    await expect(client.version()).resolves.toMatchObject({ version: '1.6.0' });
  });

  it('is not used any more once the client is closed', async () => {
    await serve(version);
    await client.version();
    client.close();
    await expect(client.version()).rejects.toMatchObject({ code: 'containerd.unavailable' });
  });
});

describe('a stream', () => {
  it('asks for the events of its own namespace only, and ends on the server when the loop is left', async () => {
    const seen = Promise.withResolvers<void>();
    let filters: readonly string[] = [];
    await serve(
      handle(Events.method.subscribe, async function* (requests, call) {
        call.signal.addEventListener('abort', () => seen.resolve());
        for await (const request of requests) filters = request.filters;
        yield { topic: '/x', event: { typeUrl: 'some.Event' } };
        await seen.promise;
      }),
    );
    for await (const event of client.events.subscribe(['topic=="/x"', 'topic=="/y"'])) {
      expect(event).toMatchObject({ kind: 'other', typeUrl: 'some.Event', topic: '/x' });
      break;
    }
    expect(filters).toEqual(['topic=="/x",namespace=="test"', 'topic=="/y",namespace=="test"']);
    await seen.promise;
  });
});
