import { createHash } from 'node:crypto';
import { mkdir, open, readdir, rm, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

import { LoamError } from '@loam/base';

/** Where a log's segments lie. Names sort by offset. */
export interface SegmentFile {
  readonly path: string;
  /** Offset of its first byte in the log. */
  readonly start: number;
}

const endedName = 'ended';

/**
 * The directory of a log: fanned out by a hash of the id, since ids made in the same month begin alike. An id may hold
 * nothing that means something to a file system.
 */
export function directoryOf(root: string, logId: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(logId)) throw LoamError.of('logs.unknown', { logId });
  return join(root, createHash('sha256').update(logId).digest('hex').slice(0, 2), logId);
}

export function segmentAt(directory: string, start: number): SegmentFile {
  return { path: join(directory, `${String(start).padStart(16, '0')}.log`), start };
}

export function endedMark(directory: string): string {
  return join(directory, endedName);
}

/** What a log's directory holds. */
export interface LogOnDisk {
  readonly segments: SegmentFile[];
  readonly size: number;
  readonly ended: boolean;
  readonly exists: boolean;
}

/**
 * What is on disk of a log. The files' names and sizes are the only bookkeeping there is. A segment that does not follow its
 * predecessor (the loss of power can shorten a file that was not flushed) is deleted with those after it.
 */
export async function scan(directory: string): Promise<LogOnDisk> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  const segments: SegmentFile[] = [];
  let size = 0;
  for (const name of (names ?? []).filter((candidate) => /^\d{16}\.log$/.test(candidate)).toSorted()) {
    const segment = { path: join(directory, name), start: Number(name.slice(0, 16)) };
    if (segment.start === size) {
      segments.push(segment);
      size += (await stat(segment.path)).size;
    } else await rm(segment.path);
  }
  return { segments, size, ended: names?.includes(endedName) ?? false, exists: names !== undefined };
}

/** Opens a segment for reading and writing, making it and its directory when they are not there. */
export async function openSegment(directory: string, segment: SegmentFile): Promise<FileHandle> {
  try {
    return await open(segment.path, 'r+');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  await mkdir(directory, { recursive: true });
  return await open(segment.path, 'w+');
}

/** Writes all of `bytes` at `position`, however often the system takes only a part. */
export async function writeFully(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
