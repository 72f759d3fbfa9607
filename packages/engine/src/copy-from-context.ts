import { createHash } from 'node:crypto';

import { LoamError } from '@loam/base';
import type { ContextEntry, ContextFile, ContextItem, ContextSource } from '@loam/context';

import type { SourceEntry } from './copy-layer.ts';

/** Of all files, in bytes. */
export function totalSize(items: readonly ContextItem[]): number {
  return items
    .flatMap((item) => item.entries)
    .reduce((sum, entry) => sum + (entry.kind === 'file' ? entry.sizeBytes : 0), 0);
}

/**
 * A project's files as a layer's. Directories get mode 0755, links 0777, files what the manifest says. All get one time,
 * that of the copy: a file's own time is no part of a step's id, and one constant for ever would let `make`, `cargo` and
 * their like take changed sources for older than the objects that they keep in a cache.
 */
export async function* contextEntries(
  items: readonly ContextItem[],
  context: ContextSource,
  timeMs: number,
): AsyncIterable<SourceEntry> {
  for (const item of items) {
    const itemName = item.path.slice(item.path.lastIndexOf('/') + 1);
    for (const entry of item.entries) {
      const relative = item.path === '' ? entry.path : entry.path.slice(item.path.length + 1);
      const base = { path: relative, uid: 0, gid: 0, mtimeMs: timeMs };
      yield { relative, itemName, key: entry.path, entry: toTreeEntry(entry, base, context) };
    }
  }
}

function toTreeEntry(
  entry: ContextEntry,
  base: { path: string; uid: number; gid: number; mtimeMs: number },
  context: ContextSource,
): SourceEntry['entry'] {
  switch (entry.kind) {
    case 'directory':
      return { kind: 'directory', mode: 0o755, ...base };
    case 'symlink':
      return { kind: 'symlink', mode: 0o777, target: entry.target, ...base };
    case 'file': {
      const { sizeBytes, mode } = entry;
      return { kind: 'file', mode, sizeBytes, open: () => checkedContent(entry, context), ...base };
    }
  }
}

/** The content as it is read, until it turns out to be another than the manifest says. */
async function* checkedContent(file: ContextFile, context: ContextSource): AsyncIterable<Uint8Array> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const bytes of context.open(file)) {
    sizeBytes += bytes.length;
    if (sizeBytes > file.sizeBytes) throw changed(file);
    hash.update(bytes);
    yield bytes;
  }
  if (sizeBytes !== file.sizeBytes || `sha256:${hash.digest('hex')}` !== file.digest) throw changed(file);
}

function changed(file: ContextFile): LoamError {
  return LoamError.of('engine.context-changed', { path: file.path });
}
