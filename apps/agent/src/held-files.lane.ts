import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Digest, StepId } from '@loam/base';
import type { Offer } from '@loam/contracts';
import koffi from 'koffi';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { BlobCache } from './farm/blob-cache.ts';
import { Journals } from './journal/journals.ts';
import type { JournalRecord } from './journal/record.ts';
import { fileLogSpool } from './spool/file-log-spool.ts';

// What the agent keeps on disk must not fail because a scanner or a backup has one of the files open.
let home: string;
beforeEach(() => void (home = mkdtempSync(join(tmpdir(), 'loam-held-'))));
afterEach(() => rmSync(home, { recursive: true, force: true }));

const kernel = koffi.load('kernel32.dll');
const createFile = kernel.func(
  'intptr_t CreateFileW(str16 name, uint32_t access, uint32_t share, void* security, uint32_t how, uint32_t flags, void* like)',
);
const closeHandle = kernel.func('bool CloseHandle(intptr_t handle)');

/** Opens a file for reading, sharing reading and writing but no deletion, which Node itself always shares. Gives how to close it. */
function hold(file: string): () => void {
  const [genericRead, shareReadAndWrite, openExisting] = [0x8000_0000, 3, 3];
  const handle = createFile(file, genericRead, shareReadAndWrite, null, openExisting, 0, null) as number;
  if (handle === -1) throw new Error(`${file} cannot be opened`);
  return () => void closeHandle(handle);
}

/** Content with its digest, and what a farm would answer. */
function blobOf(name: string) {
  const content = Buffer.alloc(1000, name);
  const hash = createHash('sha256').update(content).digest('hex');
  return {
    digest: `sha256:${hash}` as Digest,
    file: join(home, hash),
    fetch: async function* fetch() {
      yield content;
    },
  };
}

const offer = (attemptId: string): Offer => ({
  attemptId,
  fence: 7,
  buildId: 'bld_one',
  spec: '((from busybox))',
  context: null,
  secretIds: [],
  timeoutMs: null,
  limits: {},
  refresh: false,
});
const record: JournalRecord = {
  type: 'log',
  at: 1,
  stepRunId: 's',
  stream: 'stdout',
  offset: 0,
  bytes: Buffer.alloc(100),
};

test('a blob goes when it can, and fails no fetch before', async () => {
  const cache = new BlobCache(home, { maxBytes: 2500 });
  const [first, second, third, fourth] = [blobOf('a'), blobOf('b'), blobOf('c'), blobOf('d')];
  await cache.ensure(first.digest, first.fetch);
  const release = hold(first.file);
  for (const { digest, fetch } of [second, third]) await cache.ensure(digest, fetch);
  const areThere = (): boolean[] => [first, second, third, fourth].map(({ file }) => existsSync(file));
  expect(areThere()).toEqual([true, false, true, false]);
  release();
  await cache.ensure(fourth.digest, fourth.fetch);
  expect(areThere()).toEqual([false, false, true, true]);
});

test('an acknowledged segment of a journal goes with a later acknowledgement', () => {
  const journal = new Journals(home, { segmentBytes: 150 }).create(offer('att_one'));
  for (let seq = 1; seq <= 6; seq++) journal.append(record);
  const segments = (): string[] => readdirSync(journal.directory).filter((name) => name.startsWith('segment-'));
  const [oldest = '', next] = segments();
  const release = hold(join(journal.directory, oldest));
  journal.ack(4);
  expect(segments()).toContain(oldest);
  expect(segments()).not.toContain(next);
  release();
  journal.ack(5);
  expect(segments()).not.toContain(oldest);
  journal.close();
});

test('a journal goes with the next one', () => {
  const journals = new Journals(home);
  const held = journals.create(offer('att_one'));
  const release = hold(join(held.directory, 'offer.json'));
  journals.remove(held);
  expect(journals.all()).toEqual([]);
  journals.remove(journals.create(offer('att_two')));
  expect(existsSync(held.directory)).toBe(true);
  release();
  journals.remove(journals.create(offer('att_three')));
  expect(readdirSync(home)).toEqual(['reserve']);
});

test('a journal whose attempt is offered again is a new one, and stays', () => {
  const journals = new Journals(home);
  const held = journals.create(offer('att_one'));
  const release = hold(join(held.directory, 'offer.json'));
  journals.remove(held);
  release();
  const again = journals.create(offer('att_one'));
  again.append(record);
  journals.remove(journals.create(offer('att_two')));
  expect(again.read(1, 1)).toHaveLength(1);
  expect(readdirSync(again.directory)).toContain('offer.json');
  journals.remove(again);
  expect(readdirSync(home)).toEqual(['reserve']);
});

test('logs of steps go when they can, and the step that wrote the newest does not fail', async () => {
  const spool = fileLogSpool(home, { maxBytes: 100 });
  const write = async (name: string): Promise<string> => {
    const writer = spool.create(name.repeat(64) as StepId);
    writer.append('stdout', Buffer.alloc(80, name));
    await writer.end();
    return join(home, name.repeat(64));
  };
  const first = await write('a');
  const release = hold(first);
  await write('b');
  expect(existsSync(first)).toBe(true);
  // The one that is held is written anew where it is.
  const writer = spool.create('a'.repeat(64) as StepId);
  writer.append('stderr', Buffer.from('new'));
  await writer.end();
  const pieces: string[] = [];
  for await (const { bytes } of spool.read('a'.repeat(64) as StepId)) pieces.push(Buffer.from(bytes).toString());
  expect(pieces).toEqual(['new']);
  release();
});
