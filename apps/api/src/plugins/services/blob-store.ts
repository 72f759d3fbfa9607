import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';

import { LoamError, type Clock } from '@loam/base';

/** Bytes under their digest, on the API's disk: files of contexts, and the manifests of contexts. */
export interface BlobStore {
  /** Stores a stream, if its bytes are those of the digest. Size in bytes. Storing it again, or twice at a time, does no harm. */
  put(digest: string, source: Readable): Promise<number>;
  /** Stores bytes that are at hand; their digest. Fails with `api.blob-mismatch` when that is not the one that was `expected`. */
  putBytes(bytes: Uint8Array, expected?: string): Promise<string>;
  /** Size in bytes; undefined when it is not there. */
  size(digest: string): Promise<number | undefined>;
  read(digest: string): Promise<Buffer>;
  /** Bytes from `start` up to and with `end`. */
  stream(digest: string, range?: { start: number; end: number }): Readable;
  remove(digest: string): Promise<void>;
}

/** What nothing was written to for so long was left half-written by a crash, and is of no use to anybody. */
const abandonedMs = 3_600_000;

export async function openBlobStore(directory: string, limitBytes: number, clock: Clock): Promise<BlobStore> {
  const incoming = join(directory, 'incoming');
  await mkdir(incoming, { recursive: true });
  await removeAbandoned(incoming, clock);
  const pathOf = (digest: string): string => {
    const hex = digest.slice('sha256:'.length);
    return join(directory, 'sha256', hex.slice(0, 2), hex);
  };
  const moveIn = async (temporary: string, digest: string): Promise<void> => {
    const path = pathOf(digest);
    await mkdir(dirname(path), { recursive: true });
    await rename(temporary, path);
  };

  return {
    async put(digest, source) {
      const temporary = join(incoming, randomUUID());
      try {
        const { hex, size } = await receive(source, temporary, limitBytes);
        if (`sha256:${hex}` !== digest) throw LoamError.of('api.blob-mismatch', { digest });
        await moveIn(temporary, digest);
        return size;
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
    },
    async putBytes(bytes, expected) {
      const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
      if (digest !== (expected ?? digest)) throw LoamError.of('api.blob-mismatch', { digest: expected ?? digest });
      const temporary = join(incoming, randomUUID());
      await writeFile(temporary, bytes);
      await moveIn(temporary, digest);
      return digest;
    },
    async size(digest) {
      try {
        return (await stat(pathOf(digest))).size;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
    },
    read: (digest) => readFile(pathOf(digest)),
    stream: (digest, range) => createReadStream(pathOf(digest), range),
    // Its directory stays, also when it is empty now: another blob may just be moved there.
    remove: (digest) => rm(pathOf(digest), { force: true }),
  };
}

/** The rest is being written by another process of the farm. */
async function removeAbandoned(directory: string, clock: Clock): Promise<void> {
  for (const name of await readdir(directory)) {
    const file = join(directory, name);
    const found = await stat(file).catch(() => undefined);
    if (found !== undefined && clock.now() - found.mtimeMs > abandonedMs) await rm(file, { force: true });
  }
}

async function receive(source: Readable, path: string, limitBytes: number): Promise<{ hex: string; size: number }> {
  const hash = createHash('sha256');
  const file = await open(path, 'wx', 0o600);
  let size = 0;
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limitBytes) throw LoamError.of('api.too-large', { limit: limitBytes });
      hash.update(chunk);
      await file.writeFile(chunk);
    }
  } finally {
    await file.close();
  }
  return { hex: hash.digest('hex'), size };
}
