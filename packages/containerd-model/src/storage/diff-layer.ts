import { createHash } from 'node:crypto';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { pack } from 'tar-stream';

import { fail } from '../grpc-codes.ts';
import { isSame } from './layer-directory.ts';
import type { LayerTree, TreeNode } from './layer-tree.ts';

const oci = 'application/vnd.oci.image.layer.v1.tar';

/** What `tree` has changed since `below`, as the windows differ writes it (reference §3.4). */
export async function diffLayer(
  tree: LayerTree,
  below: LayerTree,
  mediaType: string,
): Promise<{ blob: Uint8Array; mediaType: string; uncompressed: string | undefined }> {
  const tar = await writeLayer(tree, below);
  const digest = `sha256:${createHash('sha256').update(tar).digest('hex')}`;
  switch (mediaType) {
    case oci:
      return { blob: tar, mediaType, uncompressed: undefined };
    case '':
    case `${oci}+gzip`:
      return { blob: new Uint8Array(gzipSync(tar)), mediaType: `${oci}+gzip`, uncompressed: digest };
    case `${oci}+zstd`:
      return { blob: new Uint8Array(zstdCompressSync(tar)), mediaType, uncompressed: digest };
    default:
      throw fail.unknown(`unsupported diff media type: ${mediaType}: not implemented`);
  }
}

async function writeLayer(tree: LayerTree, below: LayerTree): Promise<Uint8Array> {
  const tar = pack();
  const parts: Uint8Array[] = [];
  const read = (async () => {
    for await (const part of tar) parts.push(part as Uint8Array);
  })();
  tar.entry({ name: 'Hives', type: 'directory' });
  tar.entry({ name: 'Files', type: 'directory' });
  const names = new Map<TreeNode, string>();
  for (const { path, node } of tree.nodes()) {
    if (path === '' || (isSame(node, below.find(path)) && !hasChangeBelow(path, node, below))) continue;
    const name = `Files/${path}`;
    const pax = {
      'MSWINDOWS.fileattr': String(node.attributes),
      ...(node.security === undefined ? {} : { 'MSWINDOWS.rawsd': node.security }),
      ...(node.createdAt === undefined ? {} : { 'LIBARCHIVE.creationtime': node.createdAt }),
    };
    const mtime = new Date(node.mtimeMs);
    const first = names.get(node);
    names.set(node, name);
    if (first !== undefined) tar.entry({ name, type: 'link', linkname: first, mtime, pax });
    else if (node.kind === 'symlink') tar.entry({ name, type: 'symlink', linkname: node.target, mtime, pax });
    else if (node.kind === 'directory') tar.entry({ name, type: 'directory', mtime, pax });
    else tar.entry({ name, type: 'file', mtime, pax, size: node.content.length }, Buffer.from(node.content));
  }
  for (const { path } of below.nodes()) {
    if (path === '' || tree.find(path) !== undefined) continue;
    const at = path.lastIndexOf('/') + 1;
    if (at > 0 && tree.find(path.slice(0, at)) === undefined) continue;
    tar.entry({ name: `Files/${path.slice(0, at)}.wh.${path.slice(at)}`, type: 'file', size: 0 }, Buffer.alloc(0));
  }
  tar.finalize();
  await read;
  return new Uint8Array(Buffer.concat(parts));
}

/** A directory above a change is in a layer too: parents must be there (reference §3.4). */
function hasChangeBelow(path: string, node: TreeNode, below: LayerTree): boolean {
  if (node.kind !== 'directory') return false;
  return [...node.children.values()].some(({ name, node: child }) => {
    const childPath = `${path}/${name}`;
    return !isSame(child, below.find(childPath)) || hasChangeBelow(childPath, child, below);
  });
}
