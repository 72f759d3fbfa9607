import { LoamError, type Digest } from '@loam/base';
import type { ContextEntry, ContextItem, ContextQuery } from '@loam/context';
import type { ContextEntryBody } from '@loam/contracts';

/** Answers a copy's question from a list of files, as a walk of the folder itself would. */
export function queryManifest(listed: readonly ContextEntryBody[], query: ContextQuery): ContextItem[] {
  const entries = withParents(listed);
  const excluded = new Set(query.excludes);
  return query.sources.map((source) => {
    const path = normalise(source);
    for (const parent of parentsOf(path)) {
      if (entries.get(parent)?.kind !== 'symlink') continue;
      throw LoamError.of('context.source-outside', { source, reason: `${parent} is a symbolic link` });
    }
    const top = entries.get(path);
    if (!top) throw LoamError.of('context.source-missing', { source });
    if (top.kind !== 'directory') return { path, entries: [top] };
    const prefix = path === '' ? '' : `${path}/`;
    const below = [...entries.values()].filter(
      (entry) =>
        entry.path !== path &&
        entry.path.startsWith(prefix) &&
        !entry.path
          .slice(prefix.length)
          .split('/')
          .some((name) => excluded.has(name)),
    );
    return { path, entries: [top, ...below.toSorted((a, b) => (a.path < b.path ? -1 : 1))] };
  });
}

function normalise(source: string): string {
  const names = source.split('/').filter((name) => name !== '' && name !== '.');
  if (names.includes('..')) throw LoamError.of('context.source-outside', { source, reason: 'it has ".."' });
  return names.join('/');
}

/** By path, with the directories that are only there because something is in them. */
function withParents(listed: readonly ContextEntryBody[]): Map<string, ContextEntry> {
  const entries = new Map<string, ContextEntry>([['', { kind: 'directory', path: '' }]]);
  for (const entry of listed) entries.set(entry.path, toEntry(entry));
  for (const entry of listed) {
    for (const path of parentsOf(entry.path)) if (!entries.has(path)) entries.set(path, { kind: 'directory', path });
  }
  return entries;
}

function toEntry(entry: ContextEntryBody): ContextEntry {
  switch (entry.kind) {
    case 'file': {
      const { path, sizeBytes, mode } = entry;
      return { kind: 'file', path, sizeBytes, mode, digest: entry.digest as Digest };
    }
    case 'directory':
      return { kind: 'directory', path: entry.path };
    case 'symlink':
      return { kind: 'symlink', path: entry.path, target: entry.target };
  }
}

/** Proper ancestors below the root. */
function parentsOf(path: string): string[] {
  const names = path.split('/');
  return names.slice(1).map((_, index) => names.slice(0, index + 1).join('/'));
}
