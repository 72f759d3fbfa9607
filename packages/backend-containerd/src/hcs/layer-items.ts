import type { DeviceEntry, TreeEntry } from '@loam/backend';
import { assertNever } from '@loam/base';

import type { TarHeader } from '../tar/tar-header.ts';
import type { TarItem } from '../tar/tar-writer.ts';
import { NameCheck } from './windows-names.ts';

/** Decimal Win32 attributes: FILE_ATTRIBUTE_DIRECTORY and FILE_ATTRIBUTE_ARCHIVE (reference §3.5). */
const attributes = { directory: '16', other: '32' };

/**
 * Self-relative security descriptors in base64, as BuildKit writes them (reference §3.5): owner Administrators, group
 * SYSTEM, both with full access, users may read and execute; for directories inherited, and users may add files.
 */
const descriptors = {
  directory:
    'AQAEgBQAAAAkAAAAAAAAADAAAAABAgAAAAAABSAAAAAgAgAAAQEAAAAAAAUSAAAAAgCoAAcAAAAAAxgA/wEfAAECAAAAAAAFIAAAACACAAAAAxQA/wEfAAEBAAAAAAAFEgAAAAAAGAD/AR8AAQIAAAAAAAUgAAAAIAIAAAALFAAAAAAQAQEAAAAAAAMAAAAAAAMYAKkAEgABAgAAAAAABSAAAAAhAgAAAAIYAAQAAAABAgAAAAAABSAAAAAhAgAAAAIYAAIAAAABAgAAAAAABSAAAAAhAgAA',
  other:
    'AQAEgBQAAAAkAAAAAAAAADAAAAABAgAAAAAABSAAAAAgAgAAAQEAAAAAAAUSAAAAAgBMAAMAAAAAABgA/wEfAAECAAAAAAAFIAAAACACAAAAABQA/wEfAAEBAAAAAAAFEgAAAAAAGACpABIAAQIAAAAAAAUgAAAAIQIAAA==',
};

const root = 'Files';

/**
 * A layer as the `windows` differ wants it: the directories `Hives` and `Files`, then everything below `Files/`, each with
 * its attributes, creation time and security descriptor in PAX records (reference §3.5). Every directory on the way to an
 * entry is an entry itself.
 *
 * @throws LoamError `backend.names-unsupported` at the end, naming all entries that Windows cannot hold. From the first of
 * them on nothing more is read: the layer will not be applied.
 */
export async function* windowsLayerItems(entries: AsyncIterable<TreeEntry>): AsyncIterable<TarItem> {
  const names = new NameCheck();
  const directories = new Set<string>();
  for (const path of ['Hives', root]) yield { header: header(path, 'directory', 0) };
  for await (const entry of entries) {
    if (entry.path === '' || !isAcceptable(entry, names) || names.failed) continue;
    const seconds = Math.floor(entry.mtimeMs / 1000);
    for (const parent of ancestors(entry.path)) {
      if (directories.has(parent)) continue;
      directories.add(parent);
      yield { header: header(`${root}/${parent}`, 'directory', seconds) };
    }
    const path = `${root}/${entry.path}`;
    switch (entry.kind) {
      case 'directory':
        directories.add(entry.path);
        yield { header: header(path, 'directory', seconds) };
        break;
      case 'file':
        yield { header: { ...header(path, 'file', seconds), sizeBytes: entry.sizeBytes }, content: entry.open() };
        break;
      case 'hardlink':
        yield { header: { ...header(path, 'hardlink', seconds), linkPath: `${root}/${entry.target}` } };
        break;
      case 'symlink':
        // Its target is text that is followed inside the container, where there is no `Files`. Source: go-winio backuptar.
        yield { header: { ...header(path, 'symlink', seconds), linkPath: entry.target } };
        break;
      default:
        assertNever(entry);
    }
  }
  names.finish();
}

function isAcceptable(entry: TreeEntry, names: NameCheck): entry is Exclude<TreeEntry, DeviceEntry> {
  const isGood = names.accepts(entry.path);
  const isSpecial = entry.kind === 'fifo' || entry.kind === 'block-device' || entry.kind === 'character-device';
  if (isSpecial) names.refuse(entry.path, 'it is a device or a named pipe');
  return isGood && !isSpecial;
}

function header(path: string, type: TarHeader['type'], seconds: number): TarHeader {
  const kind = type === 'directory' ? 'directory' : 'other';
  return {
    path,
    type,
    mode: type === 'directory' ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    sizeBytes: 0,
    mtimeSeconds: seconds,
    pax: {
      'LIBARCHIVE.creationtime': `${seconds}.0`,
      'MSWINDOWS.fileattr': attributes[kind],
      'MSWINDOWS.rawsd': descriptors[kind],
    },
  };
}

function ancestors(path: string): string[] {
  const parts = path.split('/');
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'));
}
