import { posix } from 'node:path';

import type { Digest } from '@loam/base';

import type { ArchiveContents } from './archive-blobs.ts';
import { sha256 } from './chain-id.ts';
import type { ImageDocuments } from './image-content.ts';
import { list, object, parseJson, parseManifest, text, type Descriptor } from './manifest.ts';
import { isIndex, ociConfig, ociLayer, ociManifest } from './media-types.ts';

/** An image of an archive with the names that the archive gives it. */
export interface ArchiveImage extends ImageDocuments {
  readonly names: readonly string[];
}

/**
 * The images of an archive. An OCI layout's index counts when there is one; a newer `docker save` has both that and its own
 * `manifest.json`, which then only adds names. An older one has `manifest.json` alone: its images get manifests made here.
 * Source: OCI image-spec image-layout.md; moby image/tarexport.
 */
export function imagesInArchive(contents: ArchiveContents): ArchiveImage[] {
  const saved = contents.documents.get('manifest.json');
  const docker = saved === undefined ? [] : dockerImages(contents, saved);
  const index = contents.documents.get('index.json');
  if (index === undefined) return docker;
  const images = ociImages(contents, index, []);
  return images.map((image) => {
    if (image.names.length > 0) return image;
    const twin = docker.find(({ config }) => sha256(config) === sha256(image.config));
    return twin === undefined ? image : { ...image, names: twin.names };
  });
}

function ociImages(contents: ArchiveContents, bytes: Uint8Array, inherited: readonly string[]): ArchiveImage[] {
  const index = parseManifest(bytes);
  if (index.kind !== 'index') throw new Error('its index.json is not an index');
  const images: ArchiveImage[] = [];
  for (const entry of index.entries) {
    // Attestations and signatures stand in the index beside the image.
    if (entry.platform?.os === 'unknown') continue;
    const own = namesIn(entry);
    const names = own.length > 0 ? own : inherited;
    const document = contents.blob(entry.digest);
    // An archive may hold one platform of several.
    if (document === undefined) continue;
    if (isIndex(entry.mediaType)) {
      images.push(...ociImages(contents, document, names));
      continue;
    }
    const manifest = parseManifest(document, entry.mediaType);
    if (manifest.kind !== 'image') continue;
    const config = contents.blob(manifest.config.digest);
    if (config === undefined) throw new Error('the configuration of an image is not in it');
    images.push({ names, manifest: document, manifestDigest: entry.digest, mediaType: entry.mediaType, config });
  }
  return images;
}

/** containerd and Docker write full names; others write only a tag, which names nothing. */
function namesIn(entry: Descriptor): string[] {
  const full = entry.annotations['io.containerd.image.name'];
  if (full !== undefined) return [full];
  const reference = entry.annotations['org.opencontainers.image.ref.name'];
  return reference !== undefined && /[/:]/.test(reference) ? [reference] : [];
}

function dockerImages(contents: ArchiveContents, bytes: Uint8Array): ArchiveImage[] {
  return list(parseJson(bytes), 'its manifest.json').map((value) => {
    const item = object(value, 'an image in manifest.json');
    const config = contents.documents.get(normal(text(item['Config']) ?? ''));
    if (config === undefined) throw new Error('the configuration of an image is not in it');
    const layers = list(item['Layers'], 'Layers').map((path) => {
      const file = typeof path === 'string' ? contents.file(normal(path)) : undefined;
      if (file === undefined) throw new Error(`the layer ${String(path)} is not in it`);
      return { mediaType: file.gzipped ? `${ociLayer}+gzip` : ociLayer, digest: file.digest, size: file.size };
    });
    const manifest = new TextEncoder().encode(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: ociManifest,
        config: { mediaType: ociConfig, digest: sha256(config), size: config.length },
        layers,
      }),
    );
    const names = item['RepoTags'] === null || item['RepoTags'] === undefined ? [] : list(item['RepoTags'], 'RepoTags');
    return {
      names: names.filter((name) => typeof name === 'string'),
      manifest,
      manifestDigest: sha256(manifest) satisfies Digest,
      mediaType: ociManifest,
      config,
    };
  });
}

function normal(path: string): string {
  return posix.normalize(path);
}
