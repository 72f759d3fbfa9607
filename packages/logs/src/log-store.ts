import { open, readdir, rm, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

import { LoamError } from '@loam/base';

import { HandlePool } from './handle-pool.ts';
import { LogStates, type LogState } from './log-states.ts';
import { endedMark, openSegment, segmentAt, writeFully } from './segment-files.ts';

export interface LogStoreOptions {
  readonly directory: string;
  /** A segment takes no more than this; 8 MiB by default. A store may be opened with another value at any time. */
  readonly segmentBytes?: number;
  /** How many files stay open for writing; 64 by default. */
  readonly openFilesMax?: number;
}

export interface LogChunk {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/**
 * Append-only logs on disk, addressed by absolute byte offset. One process writes a directory at a time.
 *
 * A log is a directory of segments named by the offset of their first byte; their sizes are all the bookkeeping, so a crash
 * cannot tear any. What `append` has acknowledged survives a kill -9 of the process (it is in the page cache); it survives
 * the loss of power only after `flush`, or once `end` has returned.
 */
export interface LogStore {
  /**
   * Stores `bytes` as the log's bytes from `offset` on and resolves with its size. What is there already is skipped, so the
   * same bytes may be sent again. Fails with `logs.gap` when bytes would be missing before them, and with `logs.ended` when
   * they lead beyond the end of a log that is complete.
   */
  append(logId: string, offset: number, bytes: Uint8Array): Promise<number>;
  /** Bytes stored; 0 for a log that does not exist. */
  size(logId: string): Promise<number>;
  exists(logId: string): Promise<boolean>;
  /** Declares the log complete, and makes it safe against the loss of power. Doing it again changes nothing. */
  end(logId: string): Promise<void>;
  isEnded(logId: string): Promise<boolean>;
  /** Makes what was appended safe against the loss of power. */
  flush(logId: string): Promise<void>;
  /** The bytes `[from, to)`, as far as they are there now, in pieces of at most 64 KiB. */
  read(logId: string, from?: number, to?: number): AsyncGenerator<Uint8Array>;
  /** The same in one piece; meant for windows of a few MiB. */
  readRange(logId: string, from: number, to: number): Promise<Uint8Array>;
  /** Everything from `from` on, then what is appended as it comes, until the log is complete or the signal aborts. */
  follow(logId: string, from: number, signal?: AbortSignal): AsyncGenerator<LogChunk>;
  /** Deletes a log; who follows it sees its end. */
  remove(logId: string): Promise<void>;
  /** Every log that is stored, in no order. */
  list(): AsyncGenerator<string>;
  close(): Promise<void>;
}

const readBytes = 64 * 1024;

export function openLogStore(options: LogStoreOptions): LogStore {
  const root = options.directory;
  const segmentBytes = options.segmentBytes ?? 8 * 1024 * 1024;
  const handles = new HandlePool(options.openFilesMax ?? 64, openSegment);
  const states = new LogStates(root);

  function notify(log: LogState): void {
    for (const wake of log.followers) wake();
  }

  async function write(log: LogState, bytes: Uint8Array): Promise<void> {
    for (let rest = bytes; rest.length > 0;) {
      let segment = log.segments.at(-1);
      if (!segment || log.size - segment.start >= segmentBytes) {
        // A segment that is left for good is made safe, so that the loss of power can only cost the end of a log.
        await flushed(log);
        segment = segmentAt(log.directory, log.size);
        log.segments.push(segment);
      }
      const { start } = segment;
      const part = rest.subarray(0, segmentBytes - (log.size - start));
      await handles.use(log.directory, segment, (handle) => writeFully(handle, part, log.size - start));
      log.size += part.length;
      log.exists = true;
      rest = rest.subarray(part.length);
    }
    notify(log);
  }

  async function flushed(log: LogState): Promise<void> {
    const segment = log.segments.at(-1);
    if (segment) await handles.use(log.directory, segment, (handle) => handle.datasync());
  }

  async function* pieces(log: LogState, from: number, to: number): AsyncGenerator<LogChunk> {
    let at = from;
    for (const [index, segment] of log.segments.entries()) {
      const end = Math.min(to, log.segments[index + 1]?.start ?? log.size);
      if (at >= end || at >= to) continue;
      const handle = await openForReading(segment.path);
      if (!handle) return;
      try {
        while (at < end) {
          const buffer = new Uint8Array(Math.min(readBytes, end - at));
          const { bytesRead } = await handle.read(buffer, 0, buffer.length, at - segment.start);
          if (bytesRead === 0) return;
          yield { offset: at, bytes: buffer.subarray(0, bytesRead) };
          at += bytesRead;
        }
      } finally {
        await handle.close();
      }
    }
  }

  async function* read(logId: string, from = 0, to?: number): AsyncGenerator<Uint8Array> {
    const log = await states.acquire(logId);
    try {
      for await (const { bytes } of pieces(log, from, Math.min(to ?? log.size, log.size))) yield bytes;
    } finally {
      states.release(log);
    }
  }

  return {
    append(logId, offset, bytes) {
      return states.using(logId, (log) =>
        states.inTurn(log, async () => {
          const { size } = log;
          if (offset > size) throw LoamError.of('logs.gap', { logId, size, offset });
          const fresh = bytes.subarray(Math.min(bytes.length, size - offset));
          if (fresh.length === 0) return size;
          if (log.ended) throw LoamError.of('logs.ended', { logId, size });
          await write(log, fresh);
          return log.size;
        }),
      );
    },
    size: (logId) => states.using(logId, async (log) => log.size),
    exists: (logId) => states.using(logId, async (log) => log.exists),
    isEnded: (logId) => states.using(logId, async (log) => log.ended),
    flush: (logId) => states.using(logId, flushed),
    end(logId) {
      return states.using(logId, (log) =>
        states.inTurn(log, async () => {
          if (log.ended) return;
          // A log may be complete without a byte.
          if (log.segments.length === 0) {
            const segment = segmentAt(log.directory, 0);
            await handles.use(log.directory, segment, async () => undefined);
            log.segments.push(segment);
          }
          await flushed(log);
          await handles.release(log.directory);
          await writeFile(endedMark(log.directory), '', { flush: true });
          log.exists = true;
          log.ended = true;
          notify(log);
        }),
      );
    },
    read,
    async readRange(logId, from, to) {
      const parts: Uint8Array[] = [];
      for await (const bytes of read(logId, from, to)) parts.push(bytes);
      return Buffer.concat(parts);
    },
    async *follow(logId, from, signal) {
      const log = await states.acquire(logId);
      let wake: () => void = () => undefined;
      const onChange = (): void => wake();
      log.followers.add(onChange);
      signal?.addEventListener('abort', onChange);
      try {
        for (let at = from; signal?.aborted !== true;) {
          // Asked for before the size is looked at, so that no change falls between.
          const changed = new Promise<void>((resolve) => {
            wake = resolve;
          });
          const { ended, size } = log;
          for await (const chunk of pieces(log, at, size)) {
            if (signal?.aborted) return;
            yield chunk;
            at = chunk.offset + chunk.bytes.length;
          }
          if (ended) return;
          // What came while these pieces were on their way has woken nobody else.
          if (log.size === size && !log.ended) await changed;
        }
      } finally {
        log.followers.delete(onChange);
        signal?.removeEventListener('abort', onChange);
        states.release(log);
      }
    },
    remove(logId) {
      return states.using(logId, (log) =>
        states.inTurn(log, async () => {
          await handles.release(log.directory);
          await rm(log.directory, { recursive: true, force: true });
          Object.assign(log, { segments: [], size: 0, ended: true, exists: false });
          notify(log);
          states.drop(logId);
        }),
      );
    },
    async *list() {
      for (const fan of await readdir(root).catch(() => [])) {
        for (const logId of await readdir(join(root, fan)).catch(() => [])) yield logId;
      }
    },
    async close() {
      await states.settled();
      await handles.release(root);
    },
  };
}

/** Undefined when the file is gone: somebody removed the log meanwhile. */
async function openForReading(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
