import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';

import type { LogChunk } from '@loam/engine';

type Stream = LogChunk['stream'];

const headerBytes = 5;
const bufferBytes = 64 * 1024;

/** Files whose writers nobody holds any more are closed when the collector finds out. */
const abandoned = new FinalizationRegistry<number>((fd) => closeSync(fd));

/**
 * A log on disk: pieces of u8 stream (0 stdout, 1 stderr), u32 length, bytes. Small writes are gathered.
 * The file stays open as long as somebody holds this object, so deleting its name takes nothing from a reader.
 */
export class LogFile {
  readonly #fd: number;
  #sizeBytes: number;
  #pending: Uint8Array[] = [];
  #pendingStream: Stream = 'stdout';
  #pendingBytes = 0;
  #failure: unknown;

  constructor(path: string, flags: 'r' | 'w+') {
    this.#fd = openSync(path, flags, 0o600);
    abandoned.register(this, this.#fd);
    this.#sizeBytes = fstatSync(this.#fd).size;
  }

  /** Why something could not be written; undefined when all is well. */
  get failure(): unknown {
    return this.#failure;
  }

  get sizeBytes(): number {
    return this.#sizeBytes + this.#pendingBytes;
  }

  append(stream: Stream, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (stream !== this.#pendingStream) this.flush();
    this.#pendingStream = stream;
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    if (this.#pendingBytes >= bufferBytes) this.flush();
  }

  flush(): void {
    if (this.#pendingBytes === 0) return;
    const piece = Buffer.allocUnsafe(headerBytes + this.#pendingBytes);
    piece[0] = this.#pendingStream === 'stdout' ? 0 : 1;
    piece.writeUInt32BE(this.#pendingBytes, 1);
    let at = headerBytes;
    for (const part of this.#pending) {
      piece.set(part, at);
      at += part.length;
    }
    this.#pending = [];
    this.#pendingBytes = 0;
    if (this.#failure !== undefined) return;
    try {
      let written = 0;
      while (written < piece.length) {
        written += writeSync(this.#fd, piece, written, piece.length - written, this.#sizeBytes + written);
      }
      this.#sizeBytes += piece.length;
    } catch (error) {
      this.#failure = error;
    }
  }

  /** What was appended until now, from byte `from` of the log on. */
  async *read(from: number): AsyncGenerator<LogChunk> {
    this.flush();
    const end = this.#sizeBytes;
    let offset = 0;
    for (let at = 0; at + headerBytes <= end;) {
      const header = this.#bytes(at, headerBytes);
      const length = header.readUInt32BE(1);
      const stream: Stream = header[0] === 0 ? 'stdout' : 'stderr';
      at += headerBytes;
      // A piece whose end is not there was being written when the process was killed.
      if (at + length > end) return;
      for (let done = Math.max(0, Math.min(length, from - offset)); done < length;) {
        const bytes = this.#bytes(at + done, Math.min(bufferBytes, length - done));
        yield { stream, offset: offset + done, bytes };
        done += bytes.length;
      }
      at += length;
      offset += length;
    }
  }

  #bytes(position: number, length: number): Buffer {
    const buffer = Buffer.alloc(length);
    for (let filled = 0; filled < length;) {
      const count = readSync(this.#fd, buffer, filled, length - filled, position + filled);
      if (count === 0) throw new Error('a log file is shorter than it was');
      filled += count;
    }
    return buffer;
  }
}
