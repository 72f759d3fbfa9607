import { createHash } from 'node:crypto';

import { cancelled, LoamError, systemClock, type Clock, type Digest } from '@loam/base';

import type { FetchOptions, Fetcher, HeldImage, ImageConfig, ResolvedImage, ResolveOptions } from '../fetcher.ts';
import { formatPlatform, type Platform } from '../platform.ts';
import type { SnapshotName, Store } from '../store.ts';
import type { TreeEntry } from '../tree.ts';
import { FileTree } from './file-tree.ts';

/** An image of the double's registry. */
export interface MemoryImage {
  readonly tree: FileTree;
  readonly platform: Platform;
  readonly config?: Partial<ImageConfig>;
  /** Fails the way a real registry would, by name. */
  readonly fault?: 'refused' | 'corrupt' | 'unreachable';
}

export interface MemoryFetcherOptions {
  readonly store: Store;
  readonly clock?: Clock;
  /** By fully qualified name (see `qualify`). May change under way, as tags do. */
  readonly images: Map<string, MemoryImage>;
  /** Called before every access to the registry: a promise delays it, a throw fails it. */
  readonly onCall?: (method: 'resolve' | 'fetch', name: string) => Promise<void> | void;
}

/** The fetcher in memory: images are trees with a name. */
export class MemoryFetcher implements Fetcher {
  /** Names of the images that were downloaded, in order. */
  readonly downloads: string[] = [];
  readonly #options: MemoryFetcherOptions;
  readonly #clock: Clock;
  readonly #resolved = new Map<string, ResolvedImage>();
  readonly #imported = new Set<string>();
  readonly #contents = new Map<Digest, { readonly image: MemoryImage; readonly name: string }>();
  readonly #fetching = new Map<Digest, Promise<SnapshotName>>();

  constructor(options: MemoryFetcherOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  async resolve(reference: string, platform: Platform, options: ResolveOptions = {}): Promise<ResolvedImage> {
    const name = qualify(reference);
    if (options.signal?.aborted) throw cancelled();
    const key = `${name} ${formatPlatform(platform)}`;
    const known = this.#resolved.get(key);
    if (known && (!options.refresh || this.#imported.has(name))) return { ...known, reference };
    await this.#options.onCall?.('resolve', name);
    const image = this.#options.images.get(name);
    const host = name.slice(0, name.indexOf('/'));
    if (!image) throw LoamError.of('backend.image-not-found', { reference });
    if (image.fault === 'refused') throw LoamError.of('backend.registry-auth', { host, reference });
    if (image.fault === 'unreachable') {
      throw LoamError.of('backend.registry-unreachable', { host, reason: 'connection refused' });
    }
    const available = formatPlatform(image.platform);
    if (image.platform.os !== platform.os || image.platform.architecture !== platform.architecture) {
      throw LoamError.of('backend.platform-missing', { reference, platform: formatPlatform(platform), available });
    }
    const config: ImageConfig = { env: [], user: undefined, workdir: undefined, shell: undefined, ...image.config };
    const digest = await digestOf(image.tree, config);
    this.#contents.set(digest, { image: { ...image, tree: image.tree.clone() }, name });
    const resolvedAtMs = this.#clock.now();
    const resolved = { reference, name, digest, platform: image.platform, config, resolvedAtMs };
    this.#resolved.set(key, resolved);
    return resolved;
  }

  async find(image: ResolvedImage): Promise<SnapshotName | undefined> {
    return (await this.#options.store.stat(snapshotName(image.digest)))?.name;
  }

  async list(platform: Platform): Promise<HeldImage[]> {
    const held: HeldImage[] = [];
    for (const [digest, { image, name }] of this.#contents) {
      if (image.platform.os !== platform.os || image.platform.architecture !== platform.architecture) continue;
      const snapshot = await this.#options.store.stat(snapshotName(digest));
      if (snapshot) held.push({ name, digest, platform: image.platform, snapshot: snapshot.name });
    }
    return held;
  }

  async fetch(image: ResolvedImage, options: FetchOptions): Promise<SnapshotName> {
    if (options.signal?.aborted) throw cancelled();
    const found = await this.find(image);
    if (found) return found;
    const running = this.#fetching.get(image.digest) ?? this.#download(image, options);
    this.#fetching.set(image.digest, running);
    try {
      return await running;
    } finally {
      this.#fetching.delete(image.digest);
    }
  }

  async #download(image: ResolvedImage, options: FetchOptions): Promise<SnapshotName> {
    const { store, onCall } = this.#options;
    const content = this.#contents.get(image.digest);
    if (!content) throw LoamError.of('backend.image-not-found', { reference: image.reference });
    const totalBytes = content.image.tree.usage().sizeBytes;
    options.onProgress?.({ phase: 'downloading', layer: image.digest, currentBytes: 0, totalBytes });
    await onCall?.('fetch', content.name);
    if (!this.#imported.has(content.name)) this.downloads.push(content.name);
    if (content.image.fault === 'corrupt') {
      throw LoamError.of('backend.digest-mismatch', { reference: image.reference });
    }
    const working = await store.prepare(null, 'layer', options.lease);
    try {
      options.onProgress?.({ phase: 'unpacking', layer: image.digest, currentBytes: totalBytes, totalBytes });
      await store.applyLayer(working, entriesOf(content.image.tree), options.signal ? { signal: options.signal } : {});
      const snapshot = await store.commit(working, snapshotName(image.digest), { 'loam.image': image.name });
      options.onProgress?.({ phase: 'done', currentBytes: totalBytes, totalBytes });
      return snapshot.name;
    } catch (error) {
      await store.abandon(working);
      throw error;
    }
  }

  /** The double's archive is `NAME\n` and then `PATH\tTEXT` lines: enough to see that what was taken in can be used. */
  async importArchive(
    archive: AsyncIterable<Uint8Array>,
    options: { name?: string; signal?: AbortSignal } = {},
  ): Promise<string[]> {
    let text = '';
    for await (const bytes of archive) text += Buffer.from(bytes).toString();
    const [carried = '', config = '{}', platform = '{}', ...files] = text.split('\n');
    const tree = new FileTree();
    for (const [path, content] of files.map((line) => line.split('\t'))) {
      if (path === undefined || content === undefined) continue;
      tree.makeDirectories(path.slice(0, path.lastIndexOf('/')));
      tree.writeFile(path, JSON.parse(content) as string);
    }
    const name = qualify(options.name ?? carried);
    this.#options.images.set(name, {
      tree,
      config: JSON.parse(config) as ImageConfig,
      platform: JSON.parse(platform) as Platform,
    });
    this.#imported.add(name);
    return [name];
  }
}

const component = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const referencePattern = new RegExp(
  `^(?:([a-zA-Z0-9][a-zA-Z0-9.-]*(?::\\d+)?)/)?(${component}(?:/${component})*)(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$`,
);

/** `busybox` → `docker.io/library/busybox:latest`. Throws what a real fetcher throws at nonsense. */
export function qualify(reference: string): string {
  const match = referencePattern.exec(reference);
  const [, first, path = '', tag, digest = ''] = match ?? [];
  const isHost = first !== undefined && (/[.:]/.test(first) || first === 'localhost');
  if (!match || (first !== undefined && !isHost && /[A-Z]/.test(first))) {
    const reason = reference === '' ? 'it is empty' : 'it does not read [HOST/]NAME[:TAG][@DIGEST]';
    throw LoamError.of('backend.reference-invalid', { reference, reason });
  }
  const place = isHost ? `${first}/${path}` : `docker.io/${first ?? 'library'}/${path}`;
  return `${place}${tag ?? (digest === '' ? ':latest' : '')}${digest}`;
}

function snapshotName(digest: Digest): SnapshotName {
  return digest as string as SnapshotName;
}

async function digestOf(tree: FileTree, config: ImageConfig): Promise<Digest> {
  const hash = createHash('sha256').update(JSON.stringify(config));
  for (const entry of tree.walk('')) {
    hash.update(JSON.stringify(entry));
    if (entry.kind === 'file') for await (const bytes of entry.open()) hash.update(bytes);
  }
  return `sha256:${hash.digest('hex')}` as Digest;
}

async function* entriesOf(tree: FileTree): AsyncIterable<TreeEntry> {
  await Promise.resolve();
  yield* tree.walk('');
}
