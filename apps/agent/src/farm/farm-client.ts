import { Readable } from 'node:stream';

import { cancelled, isDigest, LoamError, sleep, type Clock, type Digest } from '@loam/base';
import { fenceHeader, type AttemptSecrets } from '@loam/contracts';

import { Backoff } from '../session/backoff.ts';

export interface FarmClientOptions {
  /** Origin of the API. */
  readonly url: string;
  readonly credential: string;
  readonly clock: Clock;
  readonly random: () => number;
}

/** Under which attempt's fence something is fetched; nothing for a plan. */
export interface OnBehalf {
  readonly fence?: number;
  readonly signal?: AbortSignal;
}

/** How long a farm that does not answer is waited for: an API that is started again must fail no build. */
const patienceMs = 5 * 60_000;
const retried = new Set([429, 502, 503, 504]);

/** What the agent gets from the API over HTTPS, as the agent and under the fence of an attempt. */
export class FarmClient {
  readonly #options: FarmClientOptions;

  constructor(options: FarmClientOptions) {
    this.#options = options;
  }

  /** The bytes of a context's manifest or of a file in it, unchecked. */
  async fetch(kind: 'contexts' | 'blobs', digest: Digest, behalf: OnBehalf): Promise<Readable> {
    if (!isDigest(digest)) throw LoamError.of('agent.bad-offer', { what: 'digest' });
    const response = await this.#get(`/${kind}/${digest}`, 'the files of a project', behalf);
    return response.body
      ? Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0])
      : Readable.from([]);
  }

  async secrets(attemptId: string, behalf: OnBehalf): Promise<ReadonlyMap<string, Uint8Array>> {
    const path = `/attempts/${encodeURIComponent(attemptId)}/secrets`;
    const response = await this.#get(path, 'the secrets of a build', behalf);
    const { secrets } = (await response.json()) as AttemptSecrets;
    return new Map(secrets.map(({ id, value }) => [id, Buffer.from(value, 'base64')]));
  }

  async #get(path: string, what: string, behalf: OnBehalf): Promise<Response> {
    const { url, credential, clock, random } = this.#options;
    const backoff = new Backoff({ firstMs: 200, maxMs: 10_000, random });
    const startedAtMs = clock.monotonic();
    for (;;) {
      const isLate = clock.monotonic() - startedAtMs > patienceMs;
      try {
        const response = await fetch(new URL(`/api/v1/agent${path}`, url), {
          headers: {
            authorization: `Bearer ${credential}`,
            ...(behalf.fence === undefined ? {} : { [fenceHeader]: String(behalf.fence) }),
          },
          ...(behalf.signal ? { signal: behalf.signal } : {}),
        });
        if (response.ok) return response;
        await response.body?.cancel();
        if (isLate || !retried.has(response.status)) {
          throw LoamError.of('agent.farm-answer', { status: response.status, what }, { internal: path });
        }
      } catch (error) {
        if (behalf.signal?.aborted) throw cancelled();
        if (error instanceof LoamError) throw error;
        if (isLate) throw LoamError.of('agent.farm-unreachable', { url }, { cause: error });
      }
      await sleep(clock, backoff.nextMs(), behalf.signal).catch(() => {
        throw cancelled();
      });
    }
  }
}
