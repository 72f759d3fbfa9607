import { posix } from 'node:path';

import type { Digest } from '@loam/base';
import type { Containerd } from '@loam/containerd';

import type { ReadTarEntry } from '../tar/tar-reader.ts';
import { sha256 } from './chain-id.ts';

/** A file of an archive that has gone into the content store. */
export interface StoredFile {
  readonly digest: Digest;
  readonly size: number;
  readonly gzipped: boolean;
}

/** JSON documents are kept at hand; layers are not. */
const maxDocumentBytes = 4 << 20;

/** What an archive holds, by path: small files as bytes, others as blobs of the content store. */
export class ArchiveContents {
  readonly documents = new Map<string, Uint8Array>();
  readonly files = new Map<string, StoredFile>();
  readonly links = new Map<string, string>();
  readonly #digests = new Set<string>();

  has(digest: Digest): boolean {
    return this.#digests.has(digest);
  }

  add(path: string, file: StoredFile, document: Uint8Array | undefined): void {
    this.files.set(path, file);
    this.#digests.add(file.digest);
    if (document !== undefined) this.documents.set(path, document);
  }

  /** The blob of a descriptor in an OCI layout. */
  blob(digest: Digest): Uint8Array | undefined {
    return this.documents.get(`blobs/sha256/${digest.slice('sha256:'.length)}`);
  }

  /** The file at a path; `docker save` links to layers that are there already. */
  file(path: string): StoredFile | undefined {
    let at = path;
    for (let hops = 0; hops < 8; hops++) {
      const target = this.links.get(at);
      if (target === undefined) break;
      at = target;
    }
    return this.files.get(at);
  }
}

/** Reads an archive to its end, putting every file into the content store under `lease`. */
export async function collectArchive(
  client: Containerd,
  entries: AsyncIterable<ReadTarEntry>,
  options: { lease: string; signal?: AbortSignal },
): Promise<ArchiveContents> {
  const contents = new ArchiveContents();
  for await (const entry of entries) {
    options.signal?.throwIfAborted();
    const path = posix.normalize(entry.path).replace(/^\.?\//, '');
    if (entry.type === 'symlink') contents.links.set(path, posix.join(posix.dirname(path), entry.linkPath));
    if (entry.type === 'hardlink') contents.links.set(path, posix.normalize(entry.linkPath).replace(/^\.?\//, ''));
    if (entry.type !== 'file') continue;
    await store(client, contents, path, entry, options);
  }
  return contents;
}

async function store(
  client: Containerd,
  contents: ArchiveContents,
  path: string,
  entry: ReadTarEntry,
  options: { lease: string; signal?: AbortSignal },
): Promise<void> {
  const named = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(path)?.[1];
  let document: Uint8Array | undefined;
  if (entry.sizeBytes <= maxDocumentBytes) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of entry.content) chunks.push(Uint8Array.from(chunk));
    document = Buffer.concat(chunks);
    if (named !== undefined && sha256(document) !== `sha256:${named}`) {
      throw new Error(`${path} is not what its name says`);
    }
  }
  let start: Uint8Array | undefined = document?.subarray(0, 2);
  async function* content(): AsyncIterable<Uint8Array> {
    if (document !== undefined) yield document;
    else {
      for await (const chunk of entry.content) {
        start ??= chunk.slice(0, 2);
        yield chunk;
      }
    }
  }
  if (document !== undefined && document.length === 0) return;
  const blob = await client.content.writeBlob(
    {
      ref: `loam-import-${options.lease}-${path}`,
      source: (offset) => fromOffset(content(), offset),
      ...(named === undefined ? {} : { expected: `sha256:${named}` }),
      total: entry.sizeBytes,
    },
    options,
  );
  contents.add(
    path,
    { digest: blob.digest as Digest, size: entry.sizeBytes, gzipped: start?.[0] === 0x1f && start[1] === 0x8b },
    document,
  );
}

async function* fromOffset(content: AsyncIterable<Uint8Array>, offset: number): AsyncIterable<Uint8Array> {
  let skip = offset;
  for await (const chunk of content) {
    const part = chunk.subarray(Math.min(skip, chunk.length));
    skip -= chunk.length - part.length;
    if (part.length > 0) yield part;
  }
}
