import type { TreeEntry } from '@loam/backend';

import { blockSize, encodeHeader, padded, type TarHeader } from './tar-header.ts';

/** A header with its content; `content` is absent for everything but files. */
export interface TarItem {
  readonly header: TarHeader;
  readonly content?: AsyncIterable<Uint8Array>;
}

const zeros = new Uint8Array(2 * blockSize);

/** Encodes a tar archive as a stream of chunks of any size. Throws when a file yields another number of bytes than it promised. */
export async function* writeTar(items: AsyncIterable<TarItem> | Iterable<TarItem>): AsyncIterable<Uint8Array> {
  for await (const { header, content } of items) {
    yield encodeHeader(header);
    if (content === undefined) continue;
    let written = 0;
    for await (const chunk of content) {
      written += chunk.length;
      if (written > header.sizeBytes) break;
      yield chunk;
    }
    if (written !== header.sizeBytes) throw new Error(`${header.path}: its size changed while it was read`);
    const rest = padded(written) - written;
    if (rest > 0) yield zeros.subarray(0, rest);
  }
  yield zeros;
}

/** The header of a tree entry. The root becomes `.`. */
export function tarHeaderOf(entry: TreeEntry): TarHeader {
  const common = {
    path: entry.path === '' ? '.' : entry.path,
    mode: entry.mode & 0o7777,
    uid: entry.uid,
    gid: entry.gid,
    sizeBytes: 0,
    mtimeSeconds: Math.floor(entry.mtimeMs / 1000),
  };
  switch (entry.kind) {
    case 'directory':
      return { ...common, type: 'directory' };
    case 'file':
      return { ...common, type: 'file', sizeBytes: entry.sizeBytes };
    case 'symlink':
      return { ...common, type: 'symlink', linkPath: entry.target };
    case 'hardlink':
      return { ...common, type: 'hardlink', linkPath: entry.target };
    default:
      return { ...common, type: entry.kind, major: entry.major, minor: entry.minor };
  }
}
