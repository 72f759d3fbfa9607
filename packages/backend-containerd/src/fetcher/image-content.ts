import { isLoamError, LoamError, type Digest } from '@loam/base';
import type { Containerd, Descriptor as BlobDescriptor } from '@loam/containerd';

import { gcRefContent } from '../labels.ts';
import { parseImageConfig, type ParsedConfig } from './image-config.ts';
import { parseManifest, type Descriptor, type Manifest } from './manifest.ts';
import { ociManifest } from './media-types.ts';

/** A manifest with its configuration: all that is needed to unpack it. */
export interface LoadedImage {
  readonly target: BlobDescriptor;
  readonly config: ParsedConfig;
  readonly configDigest: Digest;
  readonly layers: readonly Descriptor[];
}

export interface ImageDocuments {
  readonly manifest: Uint8Array;
  readonly manifestDigest: Digest;
  readonly mediaType: string;
  readonly config: Uint8Array;
}

/** Understands an image's two documents. Throws `backend.image-invalid`. */
export function readImage(reference: string, documents: ImageDocuments): LoadedImage {
  try {
    const manifest = parseManifest(documents.manifest, documents.mediaType);
    if (manifest.kind !== 'image') throw new Error('an index stands where a manifest should');
    const config = parseImageConfig(documents.config);
    if (config.diffIds.length !== manifest.layers.length) {
      throw new Error(`it has ${manifest.layers.length} layers but names ${config.diffIds.length}`);
    }
    const mediaType = manifest.mediaType === '' ? ociManifest : manifest.mediaType;
    return {
      target: { mediaType, digest: documents.manifestDigest, size: documents.manifest.length },
      config,
      configDigest: manifest.config.digest,
      layers: manifest.layers,
    };
  } catch (error) {
    throw imageInvalid(reference, error);
  }
}

/**
 * Puts an image's documents into the content store, the manifest with references to its configuration and, when
 * `keepLayers`, to its layers. Layers of pulled images are not referred to: once unpacked, they would only take disk.
 */
export async function storeImage(
  client: Containerd,
  documents: ImageDocuments,
  options: { lease: string; keepLayers: boolean },
): Promise<void> {
  const { lease } = options;
  const manifest = parseManifest(documents.manifest, documents.mediaType) as Extract<Manifest, { kind: 'image' }>;
  const references: Record<string, string> = { [`${gcRefContent}.config`]: manifest.config.digest };
  if (options.keepLayers) {
    for (const [index, layer] of manifest.layers.entries()) references[`${gcRefContent}.l.${index}`] = layer.digest;
  }
  await writeSmall(client, manifest.config.digest, documents.config, {}, lease);
  await writeSmall(client, documents.manifestDigest, documents.manifest, references, lease);
}

/** The documents of an image from the content store; undefined when they are not, or no longer, there. */
export async function loadImage(
  client: Containerd,
  reference: string,
  target: BlobDescriptor,
): Promise<LoadedImage | undefined> {
  try {
    const manifest = await client.content.readAll(target.digest);
    const parsed = parseManifest(manifest, target.mediaType);
    if (parsed.kind !== 'image') return undefined;
    const config = await client.content.readAll(parsed.config.digest);
    const { mediaType, digest } = target;
    return readImage(reference, { manifest, manifestDigest: digest as Digest, mediaType, config });
  } catch (error) {
    if (isLoamError(error, 'containerd.not-found')) return undefined;
    throw error;
  }
}

export async function writeSmall(
  client: Containerd,
  digest: Digest,
  bytes: Uint8Array,
  labels: Readonly<Record<string, string>>,
  lease: string,
): Promise<void> {
  async function* source(offset: number): AsyncIterable<Uint8Array> {
    yield bytes.subarray(offset);
  }
  // The same document is the same reference: two that write it at the same time wait for each other.
  await client.content.writeBlob(
    { ref: `loam-${digest}`, source, expected: digest, total: bytes.length, labels },
    { lease },
  );
}

export function imageInvalid(reference: string, error: unknown): LoamError {
  const reason = error instanceof Error ? error.message : 'it cannot be read';
  return LoamError.of('backend.image-invalid', { reference, reason }, { cause: error });
}
