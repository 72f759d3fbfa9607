import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';

import { removeFileSync, removeIfFree } from '@loam/files';

import { decodeFrame, frameSize, type Frame } from './frame.ts';

const chunkBytes = 256 * 1024;

/** One file of a journal: frames for the records from `firstSeq` on, behind one state frame. */
export class Segment {
  readonly firstSeq: number;
  readonly path: string;
  #fd: number;
  #sizeBytes: number;
  #isOpen = true;

  private constructor(firstSeq: number, path: string, fd: number, sizeBytes: number) {
    this.firstSeq = firstSeq;
    this.path = path;
    this.#fd = fd;
    this.#sizeBytes = sizeBytes;
  }

  static create(directory: string, firstSeq: number): Segment {
    const path = join(directory, segmentName(firstSeq));
    return new Segment(firstSeq, path, openSync(path, 'w+', 0o600), 0);
  }

  /** `undefined` when the file is not named like a segment. */
  static open(directory: string, name: string): Segment | undefined {
    const match = /^segment-(\d{16})$/.exec(name);
    if (!match?.[1]) return undefined;
    const path = join(directory, name);
    const fd = openSync(path, 'r+');
    return new Segment(Number(match[1]), path, fd, fstatSync(fd).size);
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Writes whole or, when it throws, not at all. */
  append(bytes: Uint8Array): void {
    let written = 0;
    try {
      while (written < bytes.length) {
        written += writeSync(this.#fd, bytes, written, bytes.length - written, this.#sizeBytes + written);
      }
    } catch (error) {
      this.truncate(this.#sizeBytes);
      throw error;
    }
    this.#sizeBytes += bytes.length;
  }

  truncate(sizeBytes: number): void {
    ftruncateSync(this.#fd, sizeBytes);
    this.#sizeBytes = sizeBytes;
  }

  /** Frames from an offset on; ends at the end of the file or at the first frame that is torn. */
  *frames(from: number): Generator<{ readonly frame: Frame; readonly end: number }> {
    let base = from;
    let wanted = chunkBytes;
    while (base < this.#sizeBytes) {
      const buffer = this.#read(base, wanted);
      let at = 0;
      for (let decoded = decodeFrame(buffer, at); decoded; decoded = decodeFrame(buffer, at)) {
        yield { frame: decoded.frame, end: base + decoded.end };
        at = decoded.end;
      }
      if (at > 0) {
        base += at;
        wanted = chunkBytes;
        continue;
      }
      // Not one whole frame: either it is longer than what was read, or it is torn.
      const size = frameSize(buffer, 0);
      if (size === undefined || size <= buffer.length || base + size > this.#sizeBytes) return;
      wanted = size;
    }
  }

  close(): void {
    if (this.#isOpen) closeSync(this.#fd);
    this.#isOpen = false;
  }

  /** What must not be found by the next process. */
  delete(): void {
    this.close();
    removeFileSync(this.path);
  }

  /** Closes and deletes what does no harm where it is. False when somebody has it open: then it can be tried again. */
  deleteIfFree(): boolean {
    this.close();
    return removeIfFree(this.path);
  }

  #read(position: number, length: number): Buffer {
    const buffer = Buffer.allocUnsafe(Math.min(length, this.#sizeBytes - position));
    let filled = 0;
    while (filled < buffer.length) {
      const count = readSync(this.#fd, buffer, filled, buffer.length - filled, position + filled);
      if (count === 0) break;
      filled += count;
    }
    return buffer.subarray(0, filled);
  }
}

function segmentName(firstSeq: number): string {
  return `segment-${String(firstSeq).padStart(16, '0')}`;
}
