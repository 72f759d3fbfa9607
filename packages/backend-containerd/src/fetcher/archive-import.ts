import { createGunzip } from 'node:zlib';
import { pipeline, Readable } from 'node:stream';

import type { Platform } from '@loam/backend';
import { isLoamError, LoamError } from '@loam/base';
import type { Containerd } from '@loam/containerd';

import { ByteReader } from '../byte-reader.ts';
import { readTar } from '../tar/tar-reader.ts';
import { collectArchive } from './archive-blobs.ts';
import { imagesInArchive } from './archive-images.ts';
import { readImage, storeImage } from './image-content.ts';
import type { ImageRecords } from './image-records.ts';
import { parseReference } from './reference.ts';

export interface ArchiveImport {
  readonly client: Containerd;
  readonly records: ImageRecords;
  readonly lease: string;
  /** Names the archive's only image. */
  readonly name?: string;
  readonly signal?: AbortSignal;
}

/**
 * Takes in an OCI layout or `docker save` archive as it streams by: blobs go straight into the content store. Every image
 * in it is remembered under its names, for its platform, with its layers kept: nobody can be asked for them again.
 * Throws `backend.archive-invalid`.
 */
export async function importArchive(archive: AsyncIterable<Uint8Array>, options: ArchiveImport): Promise<string[]> {
  const { client, lease, records, signal } = options;
  try {
    const contents = await collectArchive(client, readTar(await decompressed(archive)), {
      lease,
      ...(signal === undefined ? {} : { signal }),
    });
    const images = imagesInArchive(contents);
    if (images.length === 0) throw new Error('it contains no image');
    const names = new Set<string>();
    for (const image of images) {
      const loaded = readImage(image.names[0] ?? 'in the archive', image);
      for (const layer of loaded.layers) {
        if (!contents.has(layer.digest)) throw new Error(`the layer ${layer.digest} is not in it`);
      }
      await storeImage(client, image, { lease, keepLayers: true });
      const { os, architecture, osVersion } = loaded.config.platform;
      if (os !== 'linux' && os !== 'windows') throw new Error(`it is for the operating system "${os}"`);
      const platforms: Platform[] = [{ os, architecture }];
      if (osVersion !== undefined) platforms.push({ os, architecture, osVersion });
      const references = (options.name === undefined ? image.names : [options.name]).map(parseReference);
      if (references.length === 0) throw new Error('its image has no name; give one');
      for (const { name } of references) {
        for (const platform of platforms) await records.remember(name, platform, loaded.target, true);
        names.add(name);
      }
    }
    return [...names];
  } catch (error) {
    if (isLoamError(error) || signal?.aborted) throw error;
    const reason = error instanceof Error ? error.message : 'it cannot be read';
    throw LoamError.of('backend.archive-invalid', { reason }, { cause: error });
  }
}

/** The archive, unzipped when it begins like gzip. */
async function decompressed(archive: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
  const reader = new ByteReader(archive);
  const start = (await reader.take(2).catch(() => undefined)) ?? new Uint8Array(0);
  async function* whole(): AsyncIterable<Uint8Array> {
    if (start.length > 0) yield start;
    yield* reader.rest();
  }
  if (start[0] !== 0x1f || start[1] !== 0x8b) return whole();
  // pipeline ends the consumer with the producer's error, and the other way round.
  return pipeline(Readable.from(whole(), { objectMode: false }), createGunzip(), () => undefined);
}
