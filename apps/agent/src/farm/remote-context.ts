import { LoamError, type Digest } from '@loam/base';
import {
  manifestContext,
  type ContextEntry,
  type ContextFile,
  type ContextQuery,
  type ContextSource,
} from '@loam/context';
import type { ContextEntryBody, ContextManifest } from '@loam/contracts';

import type { BlobCache } from './blob-cache.ts';
import type { FarmClient, OnBehalf } from './farm-client.ts';

/** Small files that come next are fetched while one is read. */
const aheadFiles = 32;
const aheadMaxBytes = 1024 * 1024;

interface Copy {
  readonly files: readonly ContextFile[];
  /** Index behind the last file that was asked for. */
  fetched: number;
}

/** The project of a build that the farm holds: its list of files now, their contents when they are read. */
export async function remoteContext(
  farm: FarmClient,
  blobs: BlobCache,
  digest: Digest | null,
  behalf: OnBehalf,
): Promise<ContextSource> {
  const manifest = digest === null ? { entries: [] } : await fetchManifest(farm, blobs, digest, behalf);
  const fetchOf = (file: ContextFile) => () => farm.fetch('blobs', file.digest, behalf);
  /** Files in the order in which a query named them, which is the order in which a copy reads them. */
  const places = new Map<ContextFile, { readonly copy: Copy; readonly index: number }>();

  function fetchAhead(file: ContextFile): void {
    const place = places.get(file);
    if (!place) return;
    const { copy, index } = place;
    for (copy.fetched = Math.max(copy.fetched, index + 1); copy.fetched <= index + aheadFiles; copy.fetched += 1) {
      const later = copy.files[copy.fetched];
      if (!later) return;
      // A failure shows when the file itself is read.
      if (later.sizeBytes <= aheadMaxBytes) blobs.ensure(later.digest, fetchOf(later)).catch(() => undefined);
    }
  }

  async function* open(file: ContextFile): AsyncGenerator<Uint8Array> {
    fetchAhead(file);
    yield* blobs.read(file.digest, fetchOf(file));
  }

  const source = manifestContext(manifest.entries.map(toEntry), open);
  return {
    async query(query: ContextQuery, signal?: AbortSignal) {
      const items = await source.query(query, signal);
      const files = items.flatMap((item) => item.entries).filter((entry) => entry.kind === 'file');
      const copy: Copy = { files, fetched: 0 };
      for (const [index, file] of files.entries()) places.set(file, { copy, index });
      return items;
    },
    open,
  };
}

function toEntry(entry: ContextEntryBody): ContextEntry {
  switch (entry.kind) {
    case 'file':
      return { ...entry, digest: entry.digest as Digest };
    case 'directory':
      return { kind: 'directory', path: entry.path };
    case 'symlink':
      return entry;
  }
}

async function fetchManifest(
  farm: FarmClient,
  blobs: BlobCache,
  digest: Digest,
  behalf: OnBehalf,
): Promise<ContextManifest> {
  const parts: Uint8Array[] = [];
  const fetch = () => farm.fetch('contexts', digest, behalf);
  for await (const part of blobs.read(digest, fetch)) parts.push(part);
  try {
    return JSON.parse(Buffer.concat(parts).toString()) as ContextManifest;
  } catch (cause) {
    throw LoamError.of('agent.context-damaged', { what: digest }, { cause });
  }
}
