import type {
  Fetcher,
  FetchOptions,
  FetchProgress,
  HeldImage,
  Platform,
  ResolvedImage,
  ResolveOptions,
  SnapshotName,
} from '@loam/backend';
import { cancelled, LoamError, type Clock, type Digest } from '@loam/base';
import type { Containerd } from '@loam/containerd';

import { importArchive } from './fetcher/archive-import.ts';
import { chainIds } from './fetcher/chain-id.ts';
import { fetchLayers } from './fetcher/fetch-layers.ts';
import {
  imageInvalid,
  loadImage,
  readImage,
  storeImage,
  type ImageDocuments,
  type LoadedImage,
} from './fetcher/image-content.ts';
import { ImageRecords } from './fetcher/image-records.ts';
import { parseManifest, type Manifest } from './fetcher/manifest.ts';
import { choosePlatform, formatManifestPlatform, listPlatforms, rankPlatform } from './fetcher/platform-match.ts';
import { parseReference, type ImageReference } from './fetcher/reference.ts';
import { RegistryClient, type FetchedManifest } from './fetcher/registry-client.ts';
import type { RegistriesConfig } from './fetcher/registry-config.ts';
import { isUnpacked } from './fetcher/unpack.ts';
import { gcRefSnapshot } from './labels.ts';
import { dropLease, takeLease } from './leases.ts';
import { untilContainerdAnswers } from './until-containerd-answers.ts';
import type { PlatformDriver } from './platform-driver.ts';
import { SharedWork } from './shared-work.ts';

export interface FetcherOptions {
  readonly client: Containerd;
  readonly driver: PlatformDriver;
  readonly agentId: string;
  readonly clock: Clock;
  readonly randomUUID: () => string;
  readonly registries: RegistriesConfig;
}

/** Brings images from registries and archives, and unpacks them. */
export class ContainerdFetcher implements Fetcher {
  readonly #options: FetcherOptions;
  readonly #registry: RegistryClient;
  readonly #records: ImageRecords;
  readonly #fetches = new SharedWork<SnapshotName, FetchProgress>();
  readonly #downloads = new SharedWork<void, number>();

  constructor(options: FetcherOptions) {
    this.#options = options;
    this.#registry = new RegistryClient(options);
    this.#records = new ImageRecords(options.client, options.agentId, options.clock);
  }

  async resolve(text: string, platform: Platform, options: ResolveOptions = {}): Promise<ResolvedImage> {
    const { client, clock } = this.#options;
    const reference = parseReference(text);
    if (options.signal?.aborted) throw cancelled();
    const known = await untilContainerdAnswers(clock, () => this.#records.recall(reference.name, platform));
    if (known !== undefined && (options.refresh !== true || known.imported || reference.digest !== undefined)) {
      const image = await untilContainerdAnswers(clock, () => loadImage(client, reference.name, known.target));
      // An imported image comes from nowhere else. Of another, the host may have outgrown the one that suited it.
      if (image !== undefined && known.imported) this.#checkPlatform(reference, platform, image);
      if (image !== undefined && this.#suits(platform, image)) {
        return resolved(reference, platform, image, known.resolvedAtMs);
      }
    }
    const documents = await this.#download(reference, platform, options.signal);
    const image = readImage(reference.name, documents);
    this.#checkPlatform(reference, platform, image);
    const resolvedAtMs = await this.#underLease((lease) =>
      untilContainerdAnswers(clock, async () => {
        await storeImage(client, documents, { lease, keepLayers: false });
        return this.#records.remember(reference.name, platform, image.target, false);
      }),
    );
    return resolved(reference, platform, image, resolvedAtMs);
  }

  find(image: ResolvedImage): Promise<SnapshotName | undefined> {
    return untilContainerdAnswers(this.#options.clock, () => this.#find(image));
  }

  async #find(image: ResolvedImage): Promise<SnapshotName | undefined> {
    const { client, driver } = this.#options;
    const loaded = await loadImage(client, image.name, { mediaType: '', digest: image.digest, size: 0 });
    const top = loaded && chainIds(loaded.config.diffIds).at(-1);
    if (top === undefined || !(await isUnpacked(client.snapshots(driver.snapshotter), top))) return undefined;
    return top as string as SnapshotName;
  }

  async list(platform: Platform): Promise<HeldImage[]> {
    const { client, driver } = this.#options;
    const snapshots = client.snapshots(driver.snapshotter);
    const images = await Promise.all(
      (await this.#records.list()).map(async ({ name, target }): Promise<HeldImage | undefined> => {
        const image = await loadImage(client, name, target);
        if (image === undefined) return undefined;
        const top = chainIds(image.config.diffIds).at(-1);
        if (top === undefined || rankPlatform(image.config.platform, platform, driver.rankOsVersion) === undefined)
          return undefined;
        if (!(await isUnpacked(snapshots, top))) return undefined;
        const digest = target.digest as Digest;
        return { name, digest, platform: platformOf(platform, image), snapshot: top as string as SnapshotName };
      }),
    );
    return images.filter((image) => image !== undefined);
  }

  async fetch(image: ResolvedImage, options: FetchOptions): Promise<SnapshotName> {
    return this.#fetches.run(image.digest, options.signal, options.onProgress, (signal, report) =>
      this.#underLease((lease) =>
        untilContainerdAnswers(this.#options.clock, () => this.#fetch(image, lease, signal, report)),
      ),
    );
  }

  async importArchive(
    archive: AsyncIterable<Uint8Array>,
    options: { name?: string; signal?: AbortSignal },
  ): Promise<string[]> {
    return this.#underLease((lease) =>
      importArchive(archive, { ...options, lease, client: this.#options.client, records: this.#records }),
    );
  }

  async #fetch(
    image: ResolvedImage,
    lease: string,
    signal: AbortSignal,
    report: (progress: FetchProgress) => void,
  ): Promise<SnapshotName> {
    if (signal.aborted) throw cancelled();
    const { client, driver } = this.#options;
    const snapshots = client.snapshots(driver.snapshotter);
    const reference = parseReference(`${withoutVersion(image.name)}@${image.digest}`);
    const loaded = await this.#documents(reference, image, lease, signal);
    const chain = chainIds(loaded.config.diffIds);
    const top = chain.at(-1);
    if (top === undefined) throw imageInvalid(image.name, new Error('it has no layers'));
    if (!(await isUnpacked(snapshots, top))) {
      await fetchLayers({
        ...this.#options,
        registry: this.#registry,
        downloads: this.#downloads,
        reference,
        image: loaded,
        chain,
        lease,
        signal,
        report,
      });
    }
    await client.content.updateLabels(loaded.configDigest, { [`${gcRefSnapshot}.${driver.snapshotter}`]: top });
    await this.#records.keepBase(image.name, loaded.target, top);
    const totalBytes = loaded.layers.reduce((sum, layer) => sum + layer.size, 0);
    report({ phase: 'done', currentBytes: totalBytes, totalBytes });
    return top as string as SnapshotName;
  }

  /** The image's documents: from the content store, or again from its registry when somebody has deleted them. */
  async #documents(
    reference: ImageReference,
    image: ResolvedImage,
    lease: string,
    signal: AbortSignal,
  ): Promise<LoadedImage> {
    const { client } = this.#options;
    const target = { mediaType: '', digest: image.digest, size: 0 };
    // Nothing else may hold them: a tag that moved is remembered with what it leads to now.
    await client.leases.addResource(lease, { id: image.digest, type: 'content' });
    const stored = await loadImage(client, image.name, target);
    if (stored !== undefined) return stored;
    const documents = await this.#download(reference, image.platform, signal);
    await storeImage(client, documents, { lease, keepLayers: false });
    return readImage(image.name, documents);
  }

  /** Manifest and configuration from the registry, of the image that suits the platform. */
  async #download(
    reference: ImageReference,
    platform: Platform,
    signal: AbortSignal | undefined,
  ): Promise<ImageDocuments> {
    const version = reference.digest ?? reference.tag ?? 'latest';
    let fetched = await this.#registry.manifest(reference, version, signal);
    let manifest = understand(reference, fetched);
    if (manifest.kind === 'index') {
      const chosen = choosePlatform(manifest.entries, platform, this.#options.driver.rankOsVersion);
      if (chosen === undefined) throw this.#missing(reference, platform, listPlatforms(manifest.entries));
      fetched = await this.#registry.manifest(reference, chosen.digest, signal);
      manifest = understand(reference, fetched);
    }
    if (manifest.kind === 'index') throw imageInvalid(reference.name, new Error('an index points to another index'));
    const config = await this.#registry.blob(reference, manifest.config, signal);
    return { manifest: fetched.bytes, manifestDigest: fetched.digest, mediaType: fetched.mediaType, config };
  }

  /** A manifest without an index says what it is for in its configuration only. */
  #checkPlatform(reference: ImageReference, platform: Platform, image: LoadedImage): void {
    if (this.#suits(platform, image)) return;
    throw this.#missing(reference, platform, formatManifestPlatform(image.config.platform));
  }

  #suits(platform: Platform, image: LoadedImage): boolean {
    return rankPlatform(image.config.platform, platform, this.#options.driver.rankOsVersion) !== undefined;
  }

  #missing(reference: ImageReference, platform: Platform, available: string): LoamError {
    const wanted = this.#options.driver.describePlatform(platform);
    return LoamError.of('backend.platform-missing', { reference: reference.name, platform: wanted, available });
  }

  async #underLease<T>(work: (lease: string) => Promise<T>): Promise<T> {
    const lease = await takeLease(this.#options, 'fetcher');
    try {
      return await work(lease);
    } finally {
      await dropLease(this.#options, lease);
    }
  }
}

function understand(reference: ImageReference, fetched: FetchedManifest): Manifest {
  try {
    return parseManifest(fetched.bytes, fetched.mediaType);
  } catch (error) {
    throw imageInvalid(reference.name, error);
  }
}

function resolved(
  reference: ImageReference,
  platform: Platform,
  image: LoadedImage,
  resolvedAtMs: number,
): ResolvedImage {
  return {
    reference: reference.text,
    name: reference.name,
    digest: image.target.digest as Digest,
    platform: platformOf(platform, image),
    config: image.config.config,
    resolvedAtMs,
  };
}

/** What an image is for, as it stands in step ids: on Windows with its OS build. */
function platformOf(platform: Platform, image: LoadedImage): Platform {
  const { osVersion } = image.config.platform;
  return platform.os === 'windows' && osVersion !== undefined ? { ...platform, osVersion } : platform;
}

/** `host/repository` of a full name. */
function withoutVersion(name: string): string {
  return name.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
}
