import { createHash } from 'node:crypto';
import { closeSync, constants, openSync, readSync, type BigIntStats } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';

import type { Clock, Digest } from '@loam/base';

import type { FileStamp } from './digest-index.ts';

const blockBytes = 1 << 20;
/** O_NOFOLLOW is not defined on Windows, where a link would need rights to be planted in between. */
export const readOnlyNoFollow = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0);

export function stampOf(stats: BigIntStats): FileStamp {
  const { size, mtimeNs, ctimeNs, ino } = stats;
  return { sizeBytes: Number(size), mtimeNs: String(mtimeNs), ctimeNs: String(ctimeNs), inode: String(ino) };
}

export interface HashedFile {
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** What the digest may be remembered under; undefined when the file changed meanwhile or could have. */
  readonly stamp: FileStamp | undefined;
}

/** Reads a file to its end and hashes it. */
export async function hashFile(path: string, clock: Clock, signal?: AbortSignal): Promise<HashedFile> {
  const startedAtMs = clock.now();
  const handle = await open(path, readOnlyNoFollow);
  try {
    const before = await handle.stat({ bigint: true });
    const hash = createHash('sha256');
    let sizeBytes = 0;
    for await (const bytes of blocksOf(handle, Number(before.size))) {
      signal?.throwIfAborted();
      hash.update(bytes);
      sizeBytes += bytes.length;
    }
    const digest = `sha256:${hash.digest('hex')}` as Digest;
    const after = await handle.stat({ bigint: true });
    const settled = sameStamp(stampOf(before), stampOf(after)) && sizeBytes === Number(after.size);
    return { digest, sizeBytes, stamp: settled && !isRacy(after, startedAtMs) ? stampOf(after) : undefined };
  } finally {
    await handle.close();
  }
}

/** The blocks of an open file. The buffer is used again for each, so a block is only good until the next one. */
export async function* blocksOf(handle: FileHandle, sizeBytes: number): AsyncIterable<Buffer> {
  const buffer = Buffer.allocUnsafe(Math.min(blockBytes, sizeBytes + 1));
  for (;;) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, null);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

/** The content of a small file, and at most one byte more than it is expected to have: its reader sees then that it has grown. */
export function readSmall(path: string, sizeBytes: number): Uint8Array[] {
  // A FIFO that took the file's place must not hold the whole process.
  const fd = openSync(path, readOnlyNoFollow | (constants.O_NONBLOCK ?? 0));
  try {
    const buffer = Buffer.alloc(sizeBytes + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < buffer.length; length += read) {
      read = readSync(fd, buffer, { offset: length });
    }
    return length === 0 ? [] : [buffer.subarray(0, length)];
  } finally {
    closeSync(fd);
  }
}

function sameStamp(a: FileStamp, b: FileStamp): boolean {
  return a.sizeBytes === b.sizeBytes && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs && a.inode === b.inode;
}

/**
 * A file written just before it was hashed may be written again within the same tick of the file system's clock, and its
 * stamp would not show it (git calls such index entries racy). Such a digest is not remembered; the next look hashes again.
 */
function isRacy(stats: BigIntStats, hashedAtMs: number): boolean {
  const wholeSeconds = stats.mtimeNs % 1_000_000_000n === 0n;
  const tickMs = wholeSeconds ? 2000 : 50;
  const changedAtMs = Math.max(Number(stats.mtimeNs / 1_000_000n), Number(stats.ctimeNs / 1_000_000n));
  return changedAtMs > hashedAtMs - tickMs;
}
