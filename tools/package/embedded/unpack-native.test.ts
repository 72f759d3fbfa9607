import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { unpackNative } from './unpack-native.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'loam-unpack-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const bytes = Buffer.from('native code, version 1');

it('writes a native part once, under a name that changes with its bytes', () => {
  const first = unpackNative(bytes, directory);
  expect(unpackNative(bytes, directory)).toBe(first);
  expect(readFileSync(first)).toEqual(bytes);
  expect(unpackNative(Buffer.from('version 2'), directory)).not.toBe(first);
  expect(readdirSync(directory)).toHaveLength(2);
});

it('does not load what somebody else has put there: other bytes are replaced', () => {
  const file = unpackNative(bytes, directory);
  rmSync(file);
  writeFileSync(file, 'planted');
  expect(readFileSync(unpackNative(bytes, directory))).toEqual(bytes);
});

it('many processes at once all get a whole file, and leave nothing else', async () => {
  const source = `
    const { workerData, parentPort } = require('node:worker_threads');
    import(workerData.module).then(({ unpackNative }) => parentPort.postMessage(unpackNative(workerData.bytes, workerData.directory)));`;
  const module = fileURLToPath(new URL('unpack-native.ts', import.meta.url));
  const large = Buffer.alloc(2 ** 20, 'x');
  const files = await Promise.all(
    Array.from({ length: 8 }, () => {
      const worker = new Worker(source, { eval: true, workerData: { module, bytes: large, directory } });
      return new Promise<string>((resolve, reject) => worker.on('message', resolve).on('error', reject));
    }),
  );
  expect(new Set(files).size).toBe(1);
  expect(readFileSync(files[0] ?? '')).toEqual(large);
  expect(readdirSync(directory)).toHaveLength(1);
});

it('says so when it cannot write', () => {
  expect(() => unpackNative(bytes, path.join(directory, 'not-there'))).toThrow('ENOENT');
});
