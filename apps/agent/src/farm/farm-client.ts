import { cancelled, isDigest, isLoamError, LoamError, sleep, type Clock, type Digest } from '@loam/base';
import { createClient, fenceHeader, type AttemptSecrets, type Client } from '@loam/contracts';

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
/** What an API or a proxy answers that is about to be there again. */
const passing = new Set([429, 502, 503, 504]);

/** What the agent gets from the API over HTTPS, as the agent and under the fence of an attempt. */
export class FarmClient {
  readonly #options: FarmClientOptions;
  readonly #client: Client;

  constructor(options: FarmClientOptions) {
    this.#options = options;
    this.#client = createClient({ url: options.url, token: options.credential });
  }

  /** The bytes of a context's manifest or of a file, unchecked. A download that is cut off is gone on with. */
  async *fetch(kind: 'contexts' | 'blobs', digest: Digest, behalf: OnBehalf): AsyncGenerator<Uint8Array> {
    if (!isDigest(digest)) throw LoamError.of('agent.bad-offer', { what: 'digest' });
    const patience = this.#patience(behalf);
    for (let got = 0; ;) {
      try {
        const headers = got > 0 ? { range: `bytes=${got}-` } : {};
        const response = await this.#get(`/agent/${kind}/${digest}`, behalf, headers);
        // Who does not know ranges sends it all again.
        let skip = response.status === 206 ? 0 : got;
        for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
          const fresh = chunk.subarray(Math.min(skip, chunk.length));
          skip -= chunk.length - fresh.length;
          got += fresh.length;
          patience.progress();
          if (fresh.length > 0) yield fresh;
        }
        return;
      } catch (error) {
        await patience.afterFailure(error);
      }
    }
  }

  async secrets(attemptId: string, behalf: OnBehalf): Promise<ReadonlyMap<string, Uint8Array>> {
    const patience = this.#patience(behalf);
    for (;;) {
      try {
        const response = await this.#get(`/agent/attempts/${encodeURIComponent(attemptId)}/secrets`, behalf, {});
        const { secrets } = (await response.json()) as AttemptSecrets;
        return new Map(secrets.map(({ id, value }) => [id, Buffer.from(value, 'base64')]));
      } catch (error) {
        await patience.afterFailure(error);
      }
    }
  }

  #get(path: string, { fence, signal }: OnBehalf, headers: Record<string, string>): Promise<Response> {
    return this.#client.raw(path, {
      headers: fence === undefined ? headers : { ...headers, [fenceHeader]: String(fence) },
      ...(signal ? { signal } : {}),
    });
  }

  /** Waits between tries, for as long as it makes sense. */
  #patience({ signal }: OnBehalf): { progress(): void; afterFailure(error: unknown): Promise<void> } {
    const { clock, random } = this.#options;
    const backoff = new Backoff({ firstMs: 200, maxMs: 10_000, random });
    let sinceMs = clock.monotonic();
    return {
      progress() {
        sinceMs = clock.monotonic();
        backoff.reset();
      },
      async afterFailure(error) {
        if (signal?.aborted) throw cancelled();
        // Anything but an answer of the API is the network, also in the middle of a body.
        const isPassing =
          !(error instanceof LoamError) || passing.has(error.status) || isLoamError(error, 'cli.api-answer');
        if (!isPassing || clock.monotonic() - sinceMs > patienceMs) throw error;
        await sleep(clock, backoff.nextMs(), signal).catch(() => {
          throw cancelled();
        });
      },
    };
  }
}
