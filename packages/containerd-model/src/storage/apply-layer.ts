import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { extract, type TarStreamEntry } from 'tar-stream';

import { fail } from '../grpc-codes.ts';
import type { LayerDirectory } from './layer-directory.ts';
import { components, fileAttribute, newDirectory, type LayerTree, type NtfsMeta } from './layer-tree.ts';
import { foldCase, ntfsNameFault } from './ntfs-names.ts';

interface Target {
  readonly directory: LayerDirectory;
  readonly tree: LayerTree;
  /** Folded paths that this layer has written, with the case they were written in. */
  readonly written: Map<string, string>;
}

/**
 * Unpacks a layer as the windows differ does (reference §3.4): tar, gzip or zstd, told by its first bytes; every path under
 * `Files/`, `Hives/` or (in a base layer) `UtilityVM/`. Strict where a live host was never asked: a missing parent directory,
 * a name that NTFS cannot hold and names that differ by case only are errors. Returns the digest and size of the plain tar.
 */
export async function applyLayer(
  blob: Uint8Array,
  directory: LayerDirectory,
  tree: LayerTree,
): Promise<{ digest: string; sizeBytes: number }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  async function* plain(): AsyncIterable<Uint8Array> {
    for await (const part of decompressed(blob)) {
      const bytes = part as Uint8Array;
      hash.update(bytes);
      sizeBytes += bytes.length;
      yield bytes;
    }
  }
  const target: Target = { directory, tree, written: new Map() };
  try {
    const entries = Readable.from(plain()).pipe(extract());
    for await (const entry of entries) await applyEntry(entry, target);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw fail.unknown(`failed to extract layer: hcsshim::ImportLayer ${directory.source}: ${reason}`);
  }
  return { digest: `sha256:${hash.digest('hex')}`, sizeBytes };
}

function decompressed(blob: Uint8Array): AsyncIterable<unknown> {
  const source = Readable.from([blob]);
  if (blob[0] === 0x1f && blob[1] === 0x8b) return source.pipe(createGunzip());
  if (blob[0] === 0x28 && blob[1] === 0xb5) return source.pipe(createZstdDecompress());
  return source;
}

async function applyEntry(entry: TarStreamEntry, target: Target): Promise<void> {
  const { header } = entry;
  const content = await readAll(entry);
  const { area, path } = place(header.name);
  if (area === 'UtilityVM') target.directory.hasUtilityVm = true;
  // Registry hives and the utility VM's disk are only looked at for their names.
  if (area !== 'Files' || path === '') return;
  const names = components(path);
  const name = names.at(-1) ?? '';
  if (name.startsWith('.wh.')) {
    target.tree.remove([...names.slice(0, -1), name.slice(4)].join('/'));
    return;
  }
  check(path, names, target);
  const meta = ntfsMeta(entry);
  const there = target.tree.find(path);
  switch (header.type) {
    case 'directory':
      if (there?.kind === 'directory') Object.assign(there, meta);
      else put(target, path, { ...newDirectory(), ...meta });
      return;
    case 'file':
    case 'contiguous-file':
      put(target, path, { kind: 'file', content, ...meta });
      return;
    case 'symlink':
      put(target, path, { kind: 'symlink', target: header.linkname ?? '', ...meta });
      return;
    case 'link': {
      const { area: linkArea, path: linkPath } = place(header.linkname ?? '');
      const file = target.tree.find(linkPath);
      if (linkArea !== 'Files' || file?.kind !== 'file') {
        throw new Error(`${header.linkname}: The system cannot find the file specified.`);
      }
      put(target, path, file);
      return;
    }
    default:
      throw new Error(`${header.name}: tar entry type ${header.type} has no place on Windows`);
  }
}

function place(name: string): { area: string; path: string } {
  if (name.includes('\\')) throw new Error(`${name}: a layer's paths are separated by /`);
  const [area = '', ...rest] = name.replace(/\/$/, '').split('/');
  if (!['Files', 'Hives', 'UtilityVM'].includes(area) || rest.includes('..')) {
    throw new Error(`${name}: a layer's paths lie under Files or Hives`);
  }
  return { area, path: rest.join('/') };
}

function check(path: string, names: readonly string[], { tree, written }: Target): void {
  const fault = ntfsNameFault(names.at(-1) ?? '');
  if (fault !== undefined) {
    throw new Error(`${path}: The filename, directory name, or volume label syntax is incorrect. (${fault})`);
  }
  if (tree.find(names.slice(0, -1).join('/'))?.kind !== 'directory') {
    throw new Error(`${path}: The system cannot find the path specified.`);
  }
  const before = written.get(foldCase(path));
  if (before !== undefined && before !== path) {
    throw new Error(`${path}: Cannot create a file when that file already exists. (${before})`);
  }
  written.set(foldCase(path), path);
}

function put({ tree }: Target, path: string, node: Parameters<LayerTree['put']>[1]): void {
  tree.put(path, node);
}

function ntfsMeta({ header }: TarStreamEntry): NtfsMeta {
  const { pax } = header;
  const isDirectory = header.type === 'directory';
  const given = pax?.['MSWINDOWS.fileattr'];
  const attributes =
    given === undefined ? (isDirectory ? fileAttribute.directory : fileAttribute.archive) : Number(given);
  if (!Number.isInteger(attributes) || attributes < 0)
    throw new Error(`${header.name}: MSWINDOWS.fileattr is no number`);
  if (isDirectory !== ((attributes & fileAttribute.directory) !== 0)) {
    throw new Error(`${header.name}: MSWINDOWS.fileattr ${attributes} is not that of a ${header.type}`);
  }
  const security = pax?.['MSWINDOWS.rawsd'];
  if (security !== undefined && !isSelfRelative(Buffer.from(security, 'base64'))) {
    throw new Error(`${header.name}: The security descriptor structure is invalid.`);
  }
  return { attributes, security, mtimeMs: header.mtime.getTime(), createdAt: pax?.['LIBARCHIVE.creationtime'] };
}

/** A SECURITY_DESCRIPTOR of revision 1 with SE_SELF_RELATIVE. */
function isSelfRelative(bytes: Uint8Array): boolean {
  return bytes.length >= 20 && bytes[0] === 1 && ((bytes[3] ?? 0) & 0x80) !== 0;
}

async function readAll(content: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of content) parts.push(part.slice());
  return new Uint8Array(Buffer.concat(parts));
}
