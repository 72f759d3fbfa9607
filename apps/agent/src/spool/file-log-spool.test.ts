import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { StepId } from '@loam/base';
import { memoryLogSpool, type LogChunk, type LogSpool } from '@loam/engine';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { fileLogSpool } from './file-log-spool.ts';

let home: string;
beforeEach(() => void (home = mkdtempSync(join(tmpdir(), 'loam-spool-'))));
afterEach(() => rmSync(home, { recursive: true, force: true }));

const step = 'a'.repeat(64) as StepId;
const other = 'b'.repeat(64) as StepId;

interface Text {
  readonly stream: string;
  readonly offset: number;
  readonly text: string;
}

/** Joins pieces that touch: how a log is cut into pieces is the spool's affair. */
async function joined(chunks: AsyncIterable<LogChunk>): Promise<Text[]> {
  const all: Text[] = [];
  for await (const { stream, offset, bytes } of chunks) {
    const text = Buffer.from(bytes).toString('latin1');
    const last = all.at(-1);
    if (last?.stream === stream && last.offset + last.text.length === offset) {
      all[all.length - 1] = { ...last, text: last.text + text };
    } else {
      all.push({ stream, offset, text });
    }
  }
  return all;
}

test('reads back what the in-memory spool reads back, from any byte, while written and afterwards', async () => {
  const pieces = fc.array(
    fc.tuple(fc.constantFrom('stdout' as const, 'stderr' as const), fc.uint8Array({ maxLength: 400 })),
    { maxLength: 30 },
  );
  await fc.assert(
    fc.asyncProperty(pieces, fc.nat({ max: 3000 }), async (list, from) => {
      const ours = fileLogSpool(home).create(step);
      const model = memoryLogSpool().create(step);
      for (const [index, [stream, bytes]] of list.entries()) {
        ours.append(stream, bytes);
        model.append(stream, bytes);
        if (index % 7 === 3) expect(await joined(ours.read(from))).toEqual(await joined(model.read(from)));
      }
      await ours.end();
      expect(await joined(ours.read(from))).toEqual(await joined(model.read(from)));
    }),
    { numRuns: 60 },
  );
});

async function write(spool: LogSpool, id: StepId, text: string): Promise<void> {
  const writer = spool.create(id);
  writer.append('stdout', Buffer.from(text));
  await writer.end();
}

test('keeps a log over a restart, and replaces it when the step is executed again', async () => {
  await write(fileLogSpool(home), step, 'first');
  const spool = fileLogSpool(home);
  expect(await joined(spool.read(step))).toEqual([{ stream: 'stdout', offset: 0, text: 'first' }]);
  await write(spool, step, 'second');
  expect(await joined(spool.read(step))).toEqual([{ stream: 'stdout', offset: 0, text: 'second' }]);
});

test('lets the oldest logs go when they take too much, but not from whoever holds the writer', async () => {
  const spool = fileLogSpool(home, { maxBytes: 1500 });
  const writer = spool.create(step);
  writer.append('stdout', Buffer.alloc(1000, 'x'));
  await writer.end();
  await write(spool, other, 'y'.repeat(1000));
  expect(readdirSync(home)).toHaveLength(1);
  expect(await joined(writer.read(990))).toEqual([{ stream: 'stdout', offset: 990, text: 'x'.repeat(10) }]);
});

test('knows over a restart whether the farm has a log, and that a new execution makes a new one', async () => {
  await write(fileLogSpool(home), step, 'first');
  expect(await joined(fileLogSpool(home).untold(step) ?? none())).toMatchObject([{ text: 'first' }]);
  fileLogSpool(home).told(step);
  const spool = fileLogSpool(home);
  expect(spool.untold(step)).toBeUndefined();
  expect(await joined(spool.read(step))).toMatchObject([{ text: 'first' }]);
  await write(spool, step, 'second');
  expect(await joined(spool.untold(step) ?? none())).toMatchObject([{ text: 'second' }]);
  spool.told(step);
  expect(readdirSync(home)).toHaveLength(1);
  spool.told(other);
  expect(spool.untold(other)).toBeUndefined();
});

async function* none(): AsyncGenerator<LogChunk> {}

test('gives a log also when the farm hears of it, or it has to go, before somebody reads', async () => {
  const spool = fileLogSpool(home);
  await write(spool, step, 'first');
  const [untold, any] = [spool.untold(step) ?? none(), spool.read(step)];
  spool.told(step);
  expect(await joined(untold)).toMatchObject([{ text: 'first' }]);
  expect(await joined(any)).toMatchObject([{ text: 'first' }]);
  await write(spool, other, 'second');
  const gone = spool.untold(other) ?? none();
  rmSync(join(home, other));
  expect(await joined(gone)).toEqual([]);
});

test('makes no file for a step that prints nothing', async () => {
  await fileLogSpool(home).create(step).end();
  expect(readdirSync(home)).toEqual([]);
  expect(await joined(fileLogSpool(home).read(step))).toEqual([]);
});
