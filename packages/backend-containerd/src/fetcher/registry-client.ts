import { cancelled, isLoamError, LoamError, sleep, type Clock, type Digest } from '@loam/base';

import { Authorizer, AuthRefused } from './auth.ts';
import { sha256 } from './chain-id.ts';
import type { Descriptor } from './manifest.ts';
import { manifestAccept } from './media-types.ts';
import type { ImageReference } from './reference.ts';
import { endpointsOf, type Endpoint, type RegistriesConfig } from './registry-config.ts';

export interface FetchedManifest {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly digest: Digest;
}

/** A blob's bytes from `offset` on. A server that ignores ranges starts at 0 whatever was asked for. */
export interface BlobStream {
  readonly offset: number;
  readonly body: AsyncIterable<Uint8Array>;
}

export interface RegistryClientOptions {
  readonly registries: RegistriesConfig;
  readonly clock: Clock;
}

const maxManifestBytes = 8 << 20;
const maxRedirects = 8;
const retryDelaysMs = [100, 400];
/** Answers that may be different a moment later. */
const transient = new Set([408, 429, 500, 502, 503, 504]);

/**
 * Reads from registries over HTTP(S): mirrors first, tokens and passwords where asked for, redirects without handing the
 * registry's authorization to another host. Transient failures are tried again briefly; what stays is thrown as
 * `backend.image-not-found`, `backend.registry-auth`, `backend.registry-unreachable` or `backend.digest-mismatch`.
 * Source: distribution-spec.md "Pull"; reference §8.3–8.5.
 */
export class RegistryClient {
  readonly #registries: RegistriesConfig;
  readonly #clock: Clock;
  readonly #authorizer: Authorizer;

  constructor(options: RegistryClientOptions) {
    this.#registries = options.registries;
    this.#clock = options.clock;
    this.#authorizer = new Authorizer(options.clock);
  }

  /** The manifest or index under a tag or digest. */
  async manifest(reference: ImageReference, version: string, signal?: AbortSignal): Promise<FetchedManifest> {
    const path = `manifests/${version}`;
    return this.#onEndpoints(reference, signal, async (endpoint) => {
      const response = await this.#request(endpoint, reference, path, { accept: manifestAccept }, signal);
      const bytes = await readAll(response, maxManifestBytes);
      const digest = sha256(bytes);
      if (version.startsWith('sha256:') && digest !== version) throw mismatch(reference);
      return { bytes, digest, mediaType: (response.headers.get('content-type') ?? '').split(';')[0]?.trim() ?? '' };
    });
  }

  /** A small blob, verified. */
  async blob(reference: ImageReference, descriptor: Descriptor, signal?: AbortSignal): Promise<Uint8Array> {
    return this.#onEndpoints(reference, signal, async (endpoint) => {
      const response = await this.#request(endpoint, reference, `blobs/${descriptor.digest}`, {}, signal);
      const bytes = await readAll(response, maxManifestBytes);
      if (sha256(bytes) !== descriptor.digest) throw mismatch(reference);
      return bytes;
    });
  }

  /** A blob as a stream from `offset` on, not verified. A read error of the body is the caller's to handle. */
  async openBlob(
    reference: ImageReference,
    descriptor: Descriptor,
    offset: number,
    signal?: AbortSignal,
  ): Promise<BlobStream> {
    const headers: Record<string, string> = offset === 0 ? {} : { range: `bytes=${offset}-` };
    return this.#onEndpoints(reference, signal, async (endpoint) => {
      const response =
        (await this.#foreign(descriptor, headers, signal)) ??
        (await this.#request(endpoint, reference, `blobs/${descriptor.digest}`, headers, signal));
      const start = response.status === 206 ? rangeStart(response) : 0;
      return { offset: start ?? offset, body: response.body ?? emptyBody() };
    });
  }

  /** A foreign layer from where its descriptor says; undefined when it is not there. */
  async #foreign(
    descriptor: Descriptor,
    headers: Record<string, string>,
    signal: AbortSignal | undefined,
  ): Promise<Response | undefined> {
    for (const url of descriptor.urls) {
      if (!/^https?:\/\//.test(url)) continue;
      try {
        const response = await fetch(url, {
          headers: { ...headers, 'accept-encoding': 'identity' },
          ...withSignal(signal),
        });
        if (response.ok) return response;
        await response.body?.cancel();
      } catch (error) {
        if (signal?.aborted) throw cancelled();
        // The registry itself may have it: many mirrors copy foreign layers.
        if (!(error instanceof TypeError)) throw error;
      }
    }
    return undefined;
  }

  /** Asks one endpoint after the other; the registry's own answer, the last, is the one that counts. */
  async #onEndpoints<T>(
    reference: ImageReference,
    signal: AbortSignal | undefined,
    ask: (endpoint: Endpoint) => Promise<T>,
  ): Promise<T> {
    let failure: unknown;
    for (const endpoint of endpointsOf(reference, this.#registries)) {
      try {
        return await ask(endpoint);
      } catch (error) {
        if (signal?.aborted) throw cancelled();
        failure = isLoamError(error) ? error : unreachable(endpoint.host, error);
      }
    }
    throw failure;
  }

  async #request(
    endpoint: Endpoint,
    reference: ImageReference,
    path: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
  ): Promise<Response> {
    for (let attempt = 0; ; attempt++) {
      const delayMs = retryDelaysMs[attempt];
      try {
        const response = await this.#authorized(endpoint, reference, path, headers, signal);
        if (response.ok) return response;
        await response.body?.cancel();
        if (response.status === 404) throw LoamError.of('backend.image-not-found', { reference: reference.name });
        if (response.status === 401 || response.status === 403) throw refused(endpoint, reference);
        if (delayMs === undefined || !transient.has(response.status)) {
          throw unreachable(endpoint.host, undefined, `it answers HTTP ${response.status}`);
        }
      } catch (error) {
        if (error instanceof AuthRefused) throw refused(endpoint, reference, error);
        if (isLoamError(error) || signal?.aborted || delayMs === undefined || !isTransientNetworkError(error))
          throw error;
      }
      await sleep(this.#clock, delayMs, signal);
    }
  }

  async #authorized(
    endpoint: Endpoint,
    reference: ImageReference,
    path: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
  ): Promise<Response> {
    const scope = `repository:${reference.repository}:pull`;
    const url = `${endpoint.baseUrl}/v2/${reference.repository}/${path}`;
    const remembered = this.#authorizer.remembered(endpoint, scope);
    const response = await follow(url, headers, remembered, signal);
    const challenge = response.headers.get('www-authenticate');
    if (response.status !== 401 || challenge === null) return response;
    await response.body?.cancel();
    return follow(url, headers, await this.#authorizer.answer(endpoint, scope, challenge, signal), signal);
  }
}

/** A GET that follows redirects and leaves the authorization behind when it leaves the host. */
async function follow(
  start: string,
  headers: Readonly<Record<string, string>>,
  authorization: string | undefined,
  signal: AbortSignal | undefined,
): Promise<Response> {
  let url = new URL(start);
  let secret = authorization;
  for (let hop = 0; hop <= maxRedirects; hop++) {
    const response = await fetch(url, {
      // Compression on the way would make ranges and digests mean something else.
      headers: {
        ...headers,
        'accept-encoding': 'identity',
        ...(secret === undefined ? {} : { authorization: secret }),
      },
      redirect: 'manual',
      ...withSignal(signal),
    });
    const location = response.headers.get('location');
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return response;
    await response.body?.cancel();
    const next = new URL(location, url);
    if (next.origin !== url.origin) secret = undefined;
    if (next.protocol === 'http:' && url.protocol === 'https:') throw new Error('it redirects from https to http');
    url = next;
  }
  throw new Error('it redirects in a circle');
}

async function readAll(response: Response, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? emptyBody()) {
    size += chunk.length;
    if (size > maxBytes) throw new Error(`its answer is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function* emptyBody(): AsyncIterable<Uint8Array> {}

function rangeStart(response: Response): number | undefined {
  const match = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '');
  return match === null ? undefined : Number(match[1]);
}

function withSignal(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

/** What a broken connection looks like in Node's fetch, as opposed to a name or port that is not there. */
function isTransientNetworkError(error: unknown): boolean {
  const code = networkCode(error);
  return (
    code !== undefined && !['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'DEPTH_ZERO_SELF_SIGNED_CERT'].includes(code)
  );
}

function networkCode(error: unknown): string | undefined {
  const cause = error instanceof Error ? (error.cause as { code?: unknown } | undefined) : undefined;
  return typeof cause?.code === 'string' ? cause.code : undefined;
}

export function unreachable(host: string, cause: unknown, reason?: string): LoamError {
  const why = reason ?? networkCode(cause) ?? (cause instanceof Error ? cause.message : 'the connection failed');
  return LoamError.of('backend.registry-unreachable', { host, reason: why }, { cause });
}

function refused(endpoint: Endpoint, reference: ImageReference, cause?: unknown): LoamError {
  return LoamError.of('backend.registry-auth', { host: endpoint.host, reference: reference.name }, { cause });
}

function mismatch(reference: ImageReference): LoamError {
  return LoamError.of('backend.digest-mismatch', { reference: reference.name });
}
