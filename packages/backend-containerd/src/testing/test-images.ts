import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';

import type { ImageConfig, TreeEntry } from '@loam/backend';
import type { PushedImage } from '@loam/testkit';

import { sha256 } from '../fetcher/chain-id.ts';
import { ociConfig, ociIndex, ociLayer, ociManifest } from '../fetcher/media-types.ts';
import { tarHeaderOf, writeTar } from '../tar/tar-writer.ts';

/** An image for tests, in parts. */
export interface MadeImage extends PushedImage {
  readonly config: Uint8Array;
  /** As they are pulled: some gzipped. */
  readonly layers: readonly Uint8Array[];
  readonly layerDigests: readonly string[];
}

export interface ImageParts {
  /** The files of each layer, bottom first. */
  readonly layers: readonly Readonly<Record<string, string | Uint8Array>>[];
  readonly config?: ImageConfig;
  readonly os?: string;
  readonly architecture?: string;
  /** Windows: as in `10.0.20348.1`. */
  readonly osVersion?: string;
  /** How files become a layer; a plain tar unless given. */
  readonly layerTar?: (files: Readonly<Record<string, string | Uint8Array>>) => Promise<Uint8Array>;
}

export const fullConfig: ImageConfig = {
  env: [
    ['PATH', '/bin:/usr/bin'],
    ['GREETING', 'with = and "quotes"'],
    ['EMPTY', ''],
  ],
  user: '1000:1002',
  workdir: '/work dir',
  shell: ['/bin/sh', '-eu', '-c'],
};

/** Bytes that no compression makes small. */
export function noise(sizeBytes: number): Uint8Array {
  return randomBytes(sizeBytes);
}

export async function makeImage(parts: ImageParts): Promise<MadeImage> {
  const tars = await Promise.all(parts.layers.map(parts.layerTar ?? tarOf));
  // Every other layer is compressed, so that both kinds are pulled.
  const layers = tars.map((tar, index) => (index % 2 === 0 ? gzipSync(tar, { level: 1 }) : tar));
  const { env, user, workdir, shell } = parts.config ?? fullConfig;
  const config = json({
    os: parts.os ?? 'linux',
    ...(parts.osVersion === undefined ? {} : { 'os.version': parts.osVersion }),
    architecture: parts.architecture ?? (process.arch === 'arm64' ? 'arm64' : 'amd64'),
    config: { Env: env.map(([name, value]) => `${name}=${value}`), User: user, WorkingDir: workdir, Shell: shell },
    rootfs: { type: 'layers', diff_ids: tars.map(sha256) },
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: ociManifest,
    config: { mediaType: ociConfig, digest: sha256(config), size: config.length },
    layers: layers.map((layer, index) => ({
      mediaType: index % 2 === 0 ? `${ociLayer}+gzip` : ociLayer,
      digest: sha256(layer),
      size: layer.length,
    })),
  });
  return {
    mediaType: ociManifest,
    manifest,
    blobs: [...layers, config],
    config,
    layers,
    layerDigests: layers.map(sha256),
  };
}

export interface IndexedManifest {
  readonly manifest: Uint8Array;
  readonly platform: Readonly<Record<string, string>>;
}

/** An index over manifests that have been pushed. */
export function makeIndex(entries: readonly IndexedManifest[]): PushedImage {
  const manifests = entries.map(({ manifest, platform }) => ({
    mediaType: ociManifest,
    digest: sha256(manifest),
    size: manifest.length,
    platform,
  }));
  return { mediaType: ociIndex, manifest: json({ schemaVersion: 2, mediaType: ociIndex, manifests }), blobs: [] };
}

/** The image as older `docker save` wrote it. */
export async function* dockerSave(image: MadeImage, name: string): AsyncIterable<Uint8Array> {
  const layerPaths = image.layers.map((_, index) => `layer${index}/layer.tar`);
  const configPath = `${sha256(image.config).slice(7)}.json`;
  const files: Record<string, Uint8Array> = {};
  for (const [index, path] of layerPaths.entries()) files[path] = image.layers[index] ?? new Uint8Array();
  files[configPath] = image.config;
  files['manifest.json'] = json([{ Config: configPath, RepoTags: [name], Layers: layerPaths }]);
  yield await tarOf(files);
}

async function tarOf(files: Readonly<Record<string, string | Uint8Array>>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const items = Object.entries(files).map(([path, content]) => {
    const entry = fileEntry(path, typeof content === 'string' ? new TextEncoder().encode(content) : content);
    return { header: tarHeaderOf(entry), content: entry.open() };
  });
  for await (const chunk of writeTar(items)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function fileEntry(path: string, bytes: Uint8Array): Extract<TreeEntry, { kind: 'file' }> {
  async function* open(): AsyncIterable<Uint8Array> {
    yield bytes;
  }
  return { kind: 'file', path, uid: 0, gid: 0, mode: 0o644, mtimeMs: 0, sizeBytes: bytes.length, open };
}

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
