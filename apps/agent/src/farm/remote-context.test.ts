import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { systemClock, type Clock, type Digest } from '@loam/base';
import type { ContextSource } from '@loam/context';
import { removeIfFree, replaceFile } from '@loam/files';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { BlobCache } from './blob-cache.ts';
import { FarmClient } from './farm-client.ts';
import { remoteContext } from './remote-context.ts';

/** Waits take no time: what is tested is what happens after them. */
const hurried: Clock = { ...systemClock, after: (_ms, callback) => systemClock.after(0, callback) };

/** A farm with blobs, which cuts an answer off after so many bytes, each path once. */
class BlobServer {
  readonly files = new Map<string, Buffer>();
  readonly requests: string[] = [];
  cutAfter: number | undefined;
  readonly #cut = new Set<string>();
  readonly #server: Server = createServer((request, response) => {
    const path = (request.url ?? '').replace('/api/v1/agent', '');
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    this.requests.push(`${path.split(':')[0]} ${String(request.headers['loam-fence'])} from ${from}`);
    const file = this.files.get(path)?.subarray(from);
    if (!file) return response.writeHead(503).end();
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': file.length });
    if (this.cutAfter === undefined || this.#cut.has(path) || file.length <= this.cutAfter) return response.end(file);
    this.#cut.add(path);
    return response.write(file.subarray(0, this.cutAfter), () => response.destroy());
  });

  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  add(kind: 'blobs' | 'contexts', content: Buffer): Digest {
    const digest = `sha256:${createHash('sha256').update(content).digest('hex')}` as Digest;
    this.files.set(`/${kind}/${digest}`, content);
    return digest;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

let home: string;
let server: BlobServer;
let farm: FarmClient;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'loam-blobs-'));
  server = new BlobServer();
  farm = new FarmClient({ url: await server.start(), credential: 'x', clock: hurried, random: () => 0 });
});
afterEach(async () => {
  await server.stop();
  rmSync(home, { recursive: true, force: true });
});

async function project(files: Record<string, Buffer>, cache = new BlobCache(home)): Promise<ContextSource> {
  const entries = Object.entries(files).map(([path, content]) => ({
    kind: 'file',
    path,
    mode: 0o644,
    sizeBytes: content.length,
    digest: server.add('blobs', content),
  }));
  const digest = server.add('contexts', Buffer.from(JSON.stringify({ entries })));
  return await remoteContext(farm, cache, digest, { fence: 3 });
}

async function readAll(context: ContextSource): Promise<string[]> {
  const [item] = await context.query({ sources: ['.'], excludes: [] });
  const contents: string[] = [];
  for (const entry of item?.entries ?? []) {
    if (entry.kind !== 'file') continue;
    const parts: Uint8Array[] = [];
    for await (const part of context.open(entry)) parts.push(part);
    contents.push(Buffer.concat(parts).toString('latin1'));
  }
  return contents;
}

test('files come with the fence, each once, and from disk the next time', async () => {
  const files = {
    'a.txt': Buffer.from('one'),
    'b.txt': Buffer.from('two'),
    'c.txt': Buffer.from('one'),
    empty: Buffer.alloc(0),
  };
  expect(await readAll(await project(files))).toEqual(['one', 'two', 'one', '']);
  expect(server.requests.toSorted()).toEqual([
    '/blobs/sha256 3 from 0',
    '/blobs/sha256 3 from 0',
    '/blobs/sha256 3 from 0',
    '/contexts/sha256 3 from 0',
  ]);
  expect(await readAll(await project(files))).toEqual(['one', 'two', 'one', '']);
  expect(server.requests).toHaveLength(4);
});

test('a download that is cut off goes on where it stopped', async () => {
  server.cutAfter = 100_000;
  const content = Buffer.alloc(300_000, 'loam');
  expect(await readAll(await project({ big: content }))).toEqual([content.toString()]);
  expect(server.requests.at(-1)).toMatch(/^\/blobs\/sha256 3 from [1-9]/);
});

test('a file whose bytes are not what was promised is refused and not kept', async () => {
  const context = await project({ 'a.txt': Buffer.from('promised') });
  for (const path of server.files.keys())
    if (path.startsWith('/blobs')) server.files.set(path, Buffer.from('something'));
  await expect(readAll(context)).rejects.toMatchObject({ code: 'agent.context-damaged' });
  expect(readdirSync(home)).toHaveLength(1);
});

const fourFiles = Object.fromEntries(['a', 'b', 'c', 'd'].map((name) => [name, Buffer.alloc(1000, name)]));
/** How many bytes there are, and of what. */
function kept(): { total: number; names: string } {
  const sizes = readdirSync(home).map((name) => ({ name, size: statSync(join(home, name)).size }));
  return {
    total: sizes.reduce((sum, { size }) => sum + size, 0),
    names: sizes.map(({ name, size }) => `${name}: ${size} bytes`).join('\n'),
  };
}
function expectAtMost(bytes: number): void {
  const { total, names } = kept();
  expect(total, names).toBeLessThanOrEqual(bytes);
}

test('the blobs that were not used for longest go when there is no more room', async () => {
  await readAll(await project(fourFiles, new BlobCache(home, { maxBytes: 2500 })));
  expectAtMost(2500);
});

test('a blob that is in its place and not yet counted is waited for', async () => {
  let count: () => void = () => undefined;
  const isCounting = new Promise<void>((resolve) => (count = resolve));
  const files = {
    removeIfFree,
    // What the file system has done, this process may hear of much later.
    async replaceFile(from: string, to: string) {
      renameSync(from, to);
      await isCounting;
    },
  };
  const cache = new BlobCache(home, { maxBytes: 2500, files });
  const contents = ['a', 'b', 'c', 'd'].map((name) => Buffer.alloc(1000, name));
  const fetched = contents.map((content) => ({
    digest: server.add('blobs', content),
    fetch: async function* fetch() {
      yield content;
    },
  }));
  const ahead = fetched.map(({ digest, fetch }) => cache.ensure(digest, fetch));
  await expect.poll(() => kept().total).toBe(4000);

  let isRead = false;
  const reading = (async () => {
    for (const { digest, fetch } of fetched) for await (const _ of cache.read(digest, fetch));
    isRead = true;
  })();
  for (let turn = 0; turn < 100; turn++) await nextTurn();
  expect(isRead).toBe(false);
  count();
  await Promise.all([reading, ...ahead]);
  expectAtMost(2500);
});

test('a blob that somebody has open fails no fetch: it counts, and goes when it can', async () => {
  let isHeld = true;
  const files = { replaceFile, removeIfFree: (file: string) => !isHeld && removeIfFree(file) };
  const cache = new BlobCache(home, { maxBytes: 2500, files });
  expect(await readAll(await project(fourFiles, cache))).toHaveLength(4);
  expect(kept().total).toBeGreaterThan(4000);
  isHeld = false;
  expect(await readAll(await project({ e: Buffer.from('small') }, cache))).toHaveLength(1);
  expectAtMost(2500);
});
