import { createHash } from 'node:crypto';
import {
  createReadStream,
  createWriteStream,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { LoamError, type Digest } from '@loam/base';
import { removeIfFree, replaceFile } from '@loam/files';

export interface BlobCacheOptions {
  /** What all blobs together may take before those not used for longest go. 1 GiB unless told. */
  readonly maxBytes?: number;
  /** What tests put in the place of `@loam/files`. */
  readonly files?: FileWork;
}

interface FileWork {
  readonly replaceFile: (from: string, to: string) => Promise<void>;
  /** False when it cannot be removed now. */
  readonly removeIfFree: (file: string) => boolean;
}

/** Blobs up to this size are read without the thread pool, whose trips for each would take longer than the reading. */
const readAtOnceBytes = 64 * 1024;

type Fetch = () => AsyncIterable<Uint8Array>;

/**
 * Blobs by digest on disk, checked when they come in. Blobs of one digest that are wanted at the same time are fetched once.
 * A blob that somebody reads or waits for does not go.
 */
export class BlobCache {
  readonly #directory: string;
  readonly #maxBytes: number;
  readonly #files: FileWork;
  readonly #fetching = new Map<Digest, Promise<void>>();
  /** How many read each blob, or wait for it. */
  readonly #readers = new Map<Digest, number>();
  #totalBytes = 0;

  /** Removes half-fetched blobs of an earlier process. */
  constructor(directory: string, options: BlobCacheOptions = {}) {
    this.#directory = directory;
    this.#maxBytes = options.maxBytes ?? 1024 * 1024 * 1024;
    this.#files = options.files ?? { replaceFile, removeIfFree };
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(directory)) {
      if (name.endsWith('.part')) this.#files.removeIfFree(join(directory, name));
    }
    this.#totalBytes = this.#list().reduce((sum, blob) => sum + blob.sizeBytes, 0);
  }

  /** Makes sure that the blob is there. Throws `agent.context-damaged` when what came is something else. */
  async ensure(digest: Digest, fetch: Fetch): Promise<void> {
    let fetching = this.#fetching.get(digest);
    if (!fetching) {
      if (touch(this.#pathOf(digest))) return;
      fetching = this.#fetch(digest, fetch).finally(() => this.#fetching.delete(digest));
      this.#fetching.set(digest, fetching);
    }
    // Also when the file is in its place: it is not counted yet, and others have not made room for it.
    await fetching;
  }

  /** The blob's content, fetched first when it is not there. It stays until it has been read. */
  async *read(digest: Digest, fetch: Fetch): AsyncGenerator<Uint8Array> {
    this.#readers.set(digest, (this.#readers.get(digest) ?? 0) + 1);
    try {
      const path = this.#pathOf(digest);
      let sizeBytes: number | undefined;
      // One that was fetched ahead may have gone at once, while nobody had asked for it; from now on somebody has.
      while (sizeBytes === undefined) {
        await this.ensure(digest, fetch);
        sizeBytes = statSync(path, { throwIfNoEntry: false })?.size;
      }
      if (sizeBytes <= readAtOnceBytes) yield readFileSync(path);
      else yield* createReadStream(path, { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>;
    } finally {
      const others = (this.#readers.get(digest) ?? 1) - 1;
      if (others > 0) this.#readers.set(digest, others);
      else this.#readers.delete(digest);
    }
  }

  async #fetch(digest: Digest, fetch: Fetch): Promise<void> {
    const path = this.#pathOf(digest);
    const part = `${path}.part`;
    const hash = createHash('sha256');
    let sizeBytes = 0;
    const hashing = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        hash.update(chunk);
        sizeBytes += chunk.length;
        done(null, chunk);
      },
    });
    try {
      await pipeline(fetch(), hashing, createWriteStream(part, { mode: 0o600 }));
      if (`sha256:${hash.digest('hex')}` !== digest) throw LoamError.of('agent.context-damaged', { what: digest });
      await this.#files.replaceFile(part, path);
    } catch (error) {
      this.#files.removeIfFree(part);
      throw error;
    }
    this.#totalBytes += sizeBytes;
    this.#prune();
  }

  #prune(): void {
    if (this.#totalBytes <= this.#maxBytes) return;
    const wanted = new Set([...this.#readers.keys()].map((digest) => this.#pathOf(digest)));
    const blobs = this.#list().toSorted((a, b) => a.usedAtMs - b.usedAtMs);
    this.#totalBytes = blobs.reduce((sum, blob) => sum + blob.sizeBytes, 0);
    // Down to nine tenths, so that the next blob does not list them all again. What somebody has open stays, and counts, until
    // the next time.
    for (const blob of blobs) {
      if (this.#totalBytes <= this.#maxBytes * 0.9) return;
      if (wanted.has(blob.path)) continue;
      if (this.#files.removeIfFree(blob.path)) this.#totalBytes -= blob.sizeBytes;
    }
  }

  #list(): { path: string; sizeBytes: number; usedAtMs: number }[] {
    return readdirSync(this.#directory).flatMap((name) => {
      const path = join(this.#directory, name);
      const found = statSync(path, { throwIfNoEntry: false });
      return found?.isFile() && !name.endsWith('.part')
        ? [{ path, sizeBytes: found.size, usedAtMs: found.mtimeMs }]
        : [];
    });
  }

  #pathOf(digest: Digest): string {
    return join(this.#directory, digest.slice('sha256:'.length));
  }
}

/** Marks a file as used now, since reading times are mostly switched off; false when it is not there, or of no use. */
function touch(path: string): boolean {
  const now = new Date();
  try {
    utimesSync(path, now, now);
    return true;
  } catch {
    return false;
  }
}
