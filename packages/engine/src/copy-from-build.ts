import type { FileEntry, TreeEntry, TreeReader } from '@loam/backend';
import { LoamError } from '@loam/base';
import type { CopyOp } from '@loam/spec';

import { ExecutionFailure } from './executions.ts';
import type { SourceEntry } from './copy-layer.ts';
import type { PlatformRules } from './platform/rules.ts';

/**
 * What a copy takes out of another build's snapshot: modes and times as they are there, for the snapshot's own id vouches
 * for them. Links on the way to a source are followed, a source that is a link is copied as one.
 */
export async function* buildEntries(tree: TreeReader, op: CopyOp, rules: PlatformRules): AsyncIterable<SourceEntry> {
  const excludes = new Set(op.exclude);
  for (const source of op.src) {
    const names = rules
      .treePath(source)
      .split('/')
      .filter((name) => name !== '' && name !== '.');
    const itemName = names.at(-1) ?? '';
    const parent = await tree.resolve(names.slice(0, -1).join('/'));
    const start = parent.path === '' || itemName === '' ? itemName : `${parent.path}/${itemName}`;
    let found = false;
    for await (const sourceEntry of itemEntries(tree, start, itemName, excludes)) {
      found = true;
      yield sourceEntry;
    }
    if (!found) throw missing(op, source);
  }
}

async function* itemEntries(
  tree: TreeReader,
  start: string,
  itemName: string,
  excludes: ReadonlySet<string>,
): AsyncIterable<SourceEntry> {
  // Files that were left out: a later hard link to one of them is where its content is copied.
  const left = new Map<string, FileEntry>();
  const standIns = new Map<string, string>();
  let excluded: string | undefined;
  for await (const entry of tree.walk(start)) {
    const { path } = entry;
    if (excluded !== undefined && path.startsWith(`${excluded}/`)) {
      if (entry.kind === 'file') left.set(path, entry);
      continue;
    }
    excluded = undefined;
    if (path !== start && excludes.has(path.slice(path.lastIndexOf('/') + 1))) {
      if (entry.kind === 'file') left.set(path, entry);
      if (entry.kind === 'directory') excluded = path;
      continue;
    }
    const relative = start === '' ? path : path.slice(start.length + 1);
    yield { relative, itemName, key: path, entry: standIn(entry, left, standIns) };
  }
}

/** A hard link whose file is not copied becomes that file; further links to it then point there. */
function standIn(entry: TreeEntry, left: Map<string, FileEntry>, standIns: Map<string, string>): TreeEntry {
  if (entry.kind !== 'hardlink') return entry;
  const known = standIns.get(entry.target);
  if (known !== undefined) return { ...entry, target: known };
  const file = left.get(entry.target);
  if (!file) return entry;
  standIns.set(entry.target, entry.path);
  return { ...file, path: entry.path };
}

function missing(op: CopyOp, source: string): ExecutionFailure {
  const build = op.from.kind === 'build' ? op.from.name : '';
  return new ExecutionFailure((position) => LoamError.of('engine.copy-source-missing', { position, build, source }));
}
