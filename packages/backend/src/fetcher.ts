import type { Digest } from '@loam/base';

import type { Platform } from './platform.ts';
import type { Lease, SnapshotName } from './store.ts';

/** What an image says about how its containers start. */
export interface ImageConfig {
  readonly env: readonly (readonly [name: string, value: string])[];
  /** The image's `User`, unresolved; undefined when it names none. */
  readonly user: string | undefined;
  readonly workdir: string | undefined;
  readonly shell: readonly string[] | undefined;
}

/** A reference looked up: from here on only the digest counts. */
export interface ResolvedImage {
  /** As the user wrote it. */
  readonly reference: string;
  /** Fully qualified: `docker.io/library/busybox:latest`. */
  readonly name: string;
  /** Of the platform's manifest. */
  readonly digest: Digest;
  readonly platform: Platform;
  readonly config: ImageConfig;
  readonly resolvedAtMs: number;
}

/** An image whose file system is here. */
export interface HeldImage {
  /** Fully qualified, as it was looked up last. */
  readonly name: string;
  readonly digest: Digest;
  readonly platform: Platform;
  /** What `fetch` gives. */
  readonly snapshot: SnapshotName;
}

export interface FetchProgress {
  readonly phase: 'resolving' | 'downloading' | 'unpacking' | 'done';
  readonly layer?: string;
  readonly currentBytes: number;
  readonly totalBytes: number;
}

export interface ResolveOptions {
  /** Ask the registry even when the tag was looked up before. */
  readonly refresh?: boolean;
  readonly signal?: AbortSignal;
}

export interface FetchOptions {
  readonly lease: Lease;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: FetchProgress) => void;
}

/**
 * Brings base images.
 *
 * `resolve` gives digest and config; a tag that was looked up before answers from memory unless `refresh` is set, and an
 * imported image answers without a registry. `fetch` makes the image's file system a committed snapshot and returns its
 * name; one that is there already costs nothing, and concurrent fetches of one image share the work.
 * Errors: `backend.reference-invalid`, `backend.image-not-found`, `backend.registry-auth`, `backend.registry-unreachable`,
 * `backend.platform-missing` (naming those there are), `backend.digest-mismatch`. After a failure partial downloads stay
 * and are resumed; nothing half unpacked is ever visible.
 */
export interface Fetcher {
  resolve(reference: string, platform: Platform, options?: ResolveOptions): Promise<ResolvedImage>;
  /** The snapshot that `fetch` would give, when it is here already; costs no network and makes nothing. */
  find(image: ResolvedImage): Promise<SnapshotName | undefined>;
  /** The images for a platform that `find` would find, each digest once; also those of an earlier life of this agent. */
  list(platform: Platform): Promise<HeldImage[]>;
  fetch(image: ResolvedImage, options: FetchOptions): Promise<SnapshotName>;
  /** Takes in an OCI layout or `docker save` archive, under the names it carries or `name`. Returns what can now be used in `from`. */
  importArchive(
    archive: AsyncIterable<Uint8Array>,
    options: { name?: string; signal?: AbortSignal },
  ): Promise<string[]>;
}
