import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { appendFile, mkdtemp, readdir, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { openLogStore, type LogStore } from './log-store.ts';
import { directoryOf } from './segment-files.ts';

let directory: string;
let store: LogStore;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'loam-logs-'));
  store = openLogStore({ directory, segmentBytes: 10 });
});
afterEach(async () => {
  await store.close();
  await rm(directory, { recursive: true, force: true });
});

const logId = 'run_01jd';
const bytes = (text: string): Uint8Array => Buffer.from(text);
const text = async (id = logId, from?: number, to?: number): Promise<string> => {
  const parts = [];
  for await (const part of store.read(id, from, to)) parts.push(part);
  return Buffer.concat(parts).toString();
};

test('bytes come back as they were appended, across segments, in any window', async () => {
  expect(await store.append(logId, 0, bytes('the first line\n'))).toBe(15);
  expect(await store.append(logId, 15, bytes('and the second'))).toBe(29);
  expect(await text()).toBe('the first line\nand the second');
  expect(await text(logId, 4, 18)).toBe('first line\nand');
  expect(Buffer.from(await store.readRange(logId, 25, 1000)).toString()).toBe('cond');
  expect((await readdir(directoryOf(directory, logId))).length).toBe(3);
});

test('bytes that are there already are skipped, and a gap is refused without harm', async () => {
  await store.append(logId, 0, bytes('abcdef'));
  expect(await store.append(logId, 2, bytes('cd'))).toBe(6);
  expect(await store.append(logId, 4, bytes('efgh'))).toBe(8);
  await expect(store.append(logId, 9, bytes('j'))).rejects.toMatchObject({ code: 'logs.gap' });
  expect(await text()).toBe('abcdefgh');
});

test('a complete log takes no more bytes but accepts what it has, and stays complete when it is opened again', async () => {
  await store.append(logId, 0, bytes('abc'));
  await store.end(logId);
  await store.end(logId);
  expect(await store.append(logId, 0, bytes('abc'))).toBe(3);
  await expect(store.append(logId, 3, bytes('d'))).rejects.toMatchObject({ code: 'logs.ended' });
  await store.close();
  store = openLogStore({ directory });
  expect([await store.isEnded(logId), await store.size(logId)]).toEqual([true, 3]);
  await store.end('empty');
  expect([await store.isEnded('empty'), await store.size('empty'), await store.exists('empty')]).toEqual([
    true,
    0,
    true,
  ]);
});

test('who follows gets everything from the offset on, strictly in order, and then the end', async () => {
  await store.append(logId, 0, bytes('0123456789abcdef'));
  const reader = (async () => {
    const chunks = [];
    for await (const chunk of store.follow(logId, 5)) chunks.push(chunk);
    return chunks;
  })();
  for (let number = 0; number < 50; number++) await store.append(logId, 16 + number, bytes(String(number % 10)));
  await store.end(logId);
  let at = 5;
  for (const chunk of await reader) {
    expect(chunk.offset).toBe(at);
    at += chunk.bytes.length;
  }
  expect(at).toBe(66);
  expect(Buffer.concat((await reader).map((chunk) => chunk.bytes)).toString()).toBe(await text(logId, 5));
});

test('following ends when the signal aborts, and when the log is removed', async () => {
  const abort = async (controller: AbortController): Promise<void> => controller.abort();
  for (const stop of [abort, () => store.remove(logId)]) {
    await store.append(logId, 0, bytes('abc'));
    const controller = new AbortController();
    const follower = store.follow(logId, 0, controller.signal);
    expect((await follower.next()).done).toBe(false);
    const last = follower.next();
    await stop(controller);
    expect((await last).done).toBe(true);
  }
  expect(await store.exists(logId)).toBe(false);
});

test('thousands of logs keep only a few files open', async () => {
  const small = openLogStore({ directory, openFilesMax: 8 });
  const openFiles = (): number => readdirSync('/proc/self/fd').length;
  const before = openFiles();
  let most = 0;
  const append = async (number: number): Promise<void> => {
    await small.append(`run_${number}`, 0, bytes(`${number}`));
    if (number % 50 === 0) most = Math.max(most, openFiles() - before);
  };
  await Promise.all(Array.from({ length: 5000 }, (_, number) => append(number)));
  expect(most).toBeLessThan(30);
  await small.append('run_7', 1, bytes('!'));
  expect(await text('run_7')).toBe('7!');
  let count = 0;
  for await (const _id of small.list()) count++;
  expect(count).toBe(5000);
  await small.close();
});

test('an id that would lead elsewhere is unknown', async () => {
  for (const id of ['../x', 'a/b', '', '.hidden', 'a\0b']) {
    await expect(store.size(id)).rejects.toMatchObject({ code: 'logs.unknown' });
  }
});

test('a segment that lost its end in a loss of power costs only what follows, and the log goes on from there', async () => {
  await store.append(logId, 0, bytes('0123456789abcdefghij+'));
  await truncate(join(directoryOf(directory, logId), '0000000000000010.log'), 4);
  store = openLogStore({ directory, segmentBytes: 10 });
  expect(await text()).toBe('0123456789abcd');
  await store.append(logId, 14, bytes('efghij+'));
  expect(await text()).toBe('0123456789abcdefghij+');
});

test('repeated, overlapping and torn appends, crashes and other segment sizes give exactly the original bytes', async () => {
  const operation = fc.oneof(
    fc.record({ kind: fc.constant('append' as const), from: fc.nat(60), length: fc.nat(40) }),
    fc.record({ kind: fc.constant('next' as const), back: fc.nat(5), length: fc.nat(30) }),
    fc.record({ kind: fc.constant('crash' as const), segmentBytes: fc.integer({ min: 1, max: 40 }), torn: fc.nat(8) }),
  );
  let round = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 40 }), async (operations) => {
      const id = `run_${round++}`;
      const original = Uint8Array.from({ length: 2000 }, (_, index) => (index * 31) % 251);
      let size = 0;
      for (const step of operations) {
        if (step.kind === 'crash') {
          // The process dies: nothing is closed, and a write in flight may have left a part of itself.
          const last = (await readdir(directoryOf(directory, id)).catch((): string[] => [])).toSorted().at(-1);
          if (last !== undefined) {
            await appendFile(join(directoryOf(directory, id), last), original.subarray(size, size + step.torn));
            size += step.torn;
          }
          store = openLogStore({ directory, segmentBytes: step.segmentBytes });
        } else {
          const from = step.kind === 'append' ? step.from : Math.max(0, size - step.back);
          const sent = original.subarray(from, from + step.length);
          const result = await store.append(id, from, sent).catch((error: { code: string }) => error.code);
          if (from > size) expect(result).toBe('logs.gap');
          else expect(result).toBe((size = Math.max(size, from + sent.length)));
        }
        expect(await store.size(id)).toBe(size);
      }
      expect(Buffer.from(await store.readRange(id, 0, 10_000))).toEqual(Buffer.from(original.subarray(0, size)));
    }),
    { numRuns: 150 },
  );
});

test('what was acknowledged is there after kill -9 of the process', async () => {
  const script = `
    import { openLogStore } from ${JSON.stringify(new URL('./log-store.ts', import.meta.url).href)};
    const store = openLogStore({ directory: ${JSON.stringify(directory)}, segmentBytes: 1000 });
    for (let at = 0; ; at += 7) console.log(await store.append('${logId}', at, Buffer.from('line..\\n')));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let acknowledged = 0;
  const exited = once(child, 'exit');
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged = Number(line);
    if (acknowledged > 20_000) child.kill('SIGKILL');
  }
  await exited;
  const content = await text();
  expect(content.length).toBeGreaterThanOrEqual(acknowledged);
  expect(content).toBe('line..\n'.repeat(1 + content.length / 7).slice(0, content.length));
});
