import { LoamError } from '@loam/base';

import { comparePaths, sourceComponents } from './source-path.ts';
import type { ContextEntry, ContextFile, ContextItem, ContextQuery, ContextSource } from './source.ts';

/**
 * The union of what queries name: the manifest to send with a build, sorted by path, so that on the other side
 * `manifestContext` answers the same queries in the same way.
 */
export async function contextManifest(
  source: ContextSource,
  queries: readonly ContextQuery[],
  signal?: AbortSignal,
): Promise<ContextEntry[]> {
  const answers = await Promise.all(queries.map((query) => source.query(query, signal)));
  const entries = new Map<string, ContextEntry>();
  for (const entry of answers.flat().flatMap((item) => item.entries)) entries.set(entry.path, entry);
  // The project itself is always there.
  entries.delete('');
  return [...entries.values()].sort(comparePaths);
}

/** A project known by its manifest, its contents found elsewhere: what an agent of a farm builds from. */
export function manifestContext(
  manifest: readonly ContextEntry[],
  open: (file: ContextFile) => AsyncIterable<Uint8Array>,
): ContextSource {
  const sorted: ContextEntry[] = [
    { kind: 'directory', path: '' },
    ...manifest.filter((entry) => entry.path !== '').toSorted(comparePaths),
  ];
  const byPath = new Map(sorted.map((entry) => [entry.path, entry]));
  const item = (source: string, excludes: ReadonlySet<string>): ContextItem => {
    const path = sourceComponents(source, '/').join('/');
    const root = byPath.get(path);
    if (!root) throw LoamError.of('context.source-missing', { source });
    return { path, entries: sorted.filter((entry) => isSelected(entry.path, path, excludes)) };
  };
  return {
    query: async ({ sources, excludes }) => sources.map((source) => item(source, new Set(excludes))),
    open,
  };
}

function isSelected(path: string, root: string, excludes: ReadonlySet<string>): boolean {
  if (path === root) return true;
  if (root !== '' && !path.startsWith(`${root}/`)) return false;
  const below = root === '' ? path : path.slice(root.length + 1);
  return !below.split('/').some((name) => excludes.has(name));
}
