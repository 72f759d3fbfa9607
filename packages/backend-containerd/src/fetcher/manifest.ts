import { isDigest, type Digest } from '@loam/base';

import { isIndex, isManifest } from './media-types.ts';

/** A reference to a blob. Source: OCI image-spec descriptor.md. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  /** Where else the bytes may be: foreign layers of Windows base images. */
  readonly urls: readonly string[];
  readonly annotations: Readonly<Record<string, string>>;
}

/** What an index says of one of its images. */
export interface IndexEntry extends Descriptor {
  readonly platform: ManifestPlatform | undefined;
}

export interface ManifestPlatform {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string | undefined;
  readonly osVersion: string | undefined;
}

export type Manifest =
  | { readonly kind: 'index'; readonly mediaType: string; readonly entries: readonly IndexEntry[] }
  | {
      readonly kind: 'image';
      readonly mediaType: string;
      readonly config: Descriptor;
      readonly layers: readonly Descriptor[];
    };

/** Reads a manifest or index. Throws a plain Error that says what is wrong. */
export function parseManifest(bytes: Uint8Array, contentType?: string): Manifest {
  const json = object(parseJson(bytes), 'the manifest');
  if (json['schemaVersion'] !== 2) throw new Error('its manifest has a schema version other than 2');
  const mediaType = text(json['mediaType']) ?? contentType ?? '';
  if (isIndex(mediaType) || (!isManifest(mediaType) && Array.isArray(json['manifests']))) {
    const entries = list(json['manifests'], 'manifests').map((item) => {
      const platform = object(item, 'a manifest entry')['platform'];
      return { ...descriptor(item), platform: platform === undefined ? undefined : parsePlatform(platform) };
    });
    return { kind: 'index', mediaType, entries };
  }
  return {
    kind: 'image',
    mediaType,
    config: descriptor(json['config']),
    layers: list(json['layers'], 'layers').map(descriptor),
  };
}

/** `os`, `architecture`, `variant` and `os.version` of an index entry or an image's configuration. */
export function parsePlatform(value: unknown): ManifestPlatform {
  const json = object(value, 'a platform');
  return {
    os: text(json['os']) ?? '',
    architecture: text(json['architecture']) ?? '',
    variant: text(json['variant']),
    osVersion: text(json['os.version']),
  };
}

function descriptor(value: unknown): Descriptor {
  const json = object(value, 'a descriptor');
  const digest = text(json['digest']) ?? '';
  const size = json['size'];
  if (!isDigest(digest)) throw new Error(`"${digest}" is not a digest`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw new Error('a descriptor has no size');
  const annotations = json['annotations'] === undefined ? {} : object(json['annotations'], 'annotations');
  return {
    mediaType: text(json['mediaType']) ?? '',
    digest,
    size,
    urls: Array.isArray(json['urls']) ? json['urls'].filter((url) => typeof url === 'string') : [],
    annotations: Object.fromEntries(
      Object.entries(annotations).filter((pair): pair is [string, string] => typeof pair[1] === 'string'),
    ),
  };
}

export function parseJson(bytes: Uint8Array): unknown {
  return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
}

export function object(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${what} is not an object`);
  return value as Record<string, unknown>;
}

export function list(value: unknown, what: string): unknown[] {
  if (!Array.isArray(value)) throw new Error(`${what} is not a list`);
  return value;
}

export function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
