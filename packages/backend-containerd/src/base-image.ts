import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

import type { Platform, TreeEntry } from '@loam/backend';

import { sha256 } from './fetcher/chain-id.ts';
import { ociConfig, ociIndex, ociLayer, ociManifest } from './fetcher/media-types.ts';
import { tarHeaderOf, writeTar, type TarItem } from './tar/tar-writer.ts';

export interface BusyboxImageOptions {
  /** A statically linked busybox, such as Debian's busybox-static: `/bin/busybox`. */
  readonly busyboxPath: string;
  readonly platform: Platform;
  /** What the image is imported as. */
  readonly name?: string;
  /** Further entries of the file system, parents before children. */
  readonly extra?: readonly TreeEntry[];
  readonly env?: readonly string[];
}

export const busyboxImageName = 'loam.local/busybox:latest';

/**
 * An OCI layout archive of a tiny Linux image made from busybox: a shell, all applets as links, users root and opam
 * (uid 1000), a /tmp. One binary gives the same bytes every time, so its digest, and every step on it, stays the same.
 */
export async function* busyboxImageArchive(options: BusyboxImageOptions): AsyncIterable<Uint8Array> {
  const { stdout } = await promisify(execFile)(options.busyboxPath, ['--list']);
  const binary = await readFile(options.busyboxPath);
  const entries = [...rootEntries(binary, stdout.split('\n').filter(Boolean)), ...(options.extra ?? [])];
  const layer = await collect(writeTar(entries.map(toItem)));

  const config = json({
    architecture: options.platform.architecture,
    os: options.platform.os,
    config: { Env: options.env ?? ['PATH=/bin:/usr/bin:/sbin:/usr/sbin'], Cmd: ['/bin/sh'], WorkingDir: '/' },
    rootfs: { type: 'layers', diff_ids: [sha256(layer)] },
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: ociManifest,
    config: { mediaType: ociConfig, digest: sha256(config), size: config.length },
    layers: [{ mediaType: ociLayer, digest: sha256(layer), size: layer.length }],
  });
  const index = json({
    schemaVersion: 2,
    mediaType: ociIndex,
    manifests: [
      {
        mediaType: ociManifest,
        digest: sha256(manifest),
        size: manifest.length,
        platform: { os: options.platform.os, architecture: options.platform.architecture },
        annotations: { 'org.opencontainers.image.ref.name': options.name ?? busyboxImageName },
      },
    ],
  });
  const blob = (bytes: Uint8Array): TarItem => file(`blobs/sha256/${sha256(bytes).slice(7)}`, bytes, 0o444);
  yield* writeTar([
    file('oci-layout', json({ imageLayoutVersion: '1.0.0' }), 0o444),
    blob(layer),
    blob(config),
    blob(manifest),
    file('index.json', index, 0o444),
  ]);
}

const text = new TextEncoder();

function json(value: unknown): Uint8Array {
  return text.encode(JSON.stringify(value));
}

function rootEntries(binary: Uint8Array, applets: readonly string[]): TreeEntry[] {
  const own = { uid: 0, gid: 0, mtimeMs: 0 };
  const directory = (path: string, mode = 0o755, uid = 0): TreeEntry => ({
    ...own,
    uid,
    gid: uid,
    kind: 'directory',
    path,
    mode,
  });
  const content = (path: string, lines: readonly string[]): TreeEntry =>
    fileEntry(path, text.encode(lines.map((line) => `${line}\n`).join('')), 0o644);
  return [
    directory(''),
    directory('bin'),
    fileEntry('bin/busybox', binary, 0o755),
    ...applets
      .filter((name) => name !== 'busybox')
      .toSorted()
      .map((name): TreeEntry => ({ ...own, kind: 'symlink', path: `bin/${name}`, mode: 0o777, target: 'busybox' })),
    directory('dev'),
    directory('etc'),
    content('etc/group', ['root:x:0:', 'tty:x:5:', 'opam:x:1000:']),
    content('etc/passwd', ['root:x:0:0:root:/root:/bin/sh', 'opam:x:1000:1000:opam:/home/opam:/bin/sh']),
    directory('home'),
    directory('home/opam', 0o755, 1000),
    directory('proc', 0o555),
    directory('root', 0o700),
    directory('run'),
    directory('sys', 0o555),
    directory('tmp', 0o1777),
    directory('usr'),
    { ...own, kind: 'symlink', path: 'usr/bin', mode: 0o777, target: '../bin' },
    directory('var'),
    directory('var/tmp', 0o1777),
  ];
}

function fileEntry(path: string, bytes: Uint8Array, mode: number): TreeEntry {
  return { kind: 'file', path, mode, uid: 0, gid: 0, mtimeMs: 0, sizeBytes: bytes.length, open: () => once(bytes) };
}

function file(path: string, bytes: Uint8Array, mode: number): TarItem {
  return toItem(fileEntry(path, bytes, mode));
}

function toItem(entry: TreeEntry): TarItem {
  return entry.kind === 'file' ? { header: tarHeaderOf(entry), content: entry.open() } : { header: tarHeaderOf(entry) };
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}
