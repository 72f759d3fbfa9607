import { isLoamError } from '@loam/base';
import type { Build, Client } from '@loam/contracts';

import { pause } from './fault.ts';
import type { Random } from './random.ts';
import { drawShape, type Shape } from './shapes.ts';

/** A build that was submitted, and what the model knows of it. */
export interface Submitted {
  readonly id: string;
  readonly shape: Shape;
  /** Somebody asked for its cancellation, and the farm said that it would. */
  isCancelled: boolean;
  end: Build['state'] | undefined;
}

export interface Traffic {
  readonly submitted: readonly Submitted[];
  /** Things that may never happen. */
  readonly findings: string[];
  /** Calls that were made again because the farm did not answer. */
  readonly repeatedCalls: () => ReadonlyMap<string, number>;
  /** Submits until told to stop; resolves when what it was about is done. */
  run(until: () => boolean): Promise<void>;
  /** Resolves when all builds have ended; gives those that did not. */
  settle(timeoutMs: number): Promise<Submitted[]>;
}

const inFlightMax = 9;
const pollMs = 400;
const giveUpMs = 120_000;

/** Users of the farm: they submit, submit again when they hear nothing, cancel, retry. */
export function openTraffic(client: Client, random: Random, seed: number): Traffic {
  const submitted: Submitted[] = [];
  const findings: string[] = [];
  const pending = new Set<Promise<void>>();
  const repeated = new Map<string, number>();
  let serial = 0;
  const open = (): Submitted[] => submitted.filter((build) => build.end === undefined);

  /** Again and again while the farm is away: what a program with patience does. */
  async function call<T>(what: string, act: () => Promise<T>): Promise<T> {
    const end = Date.now() + giveUpMs;
    for (;;) {
      try {
        return await act();
      } catch (error) {
        if (isLoamError(error, 'api.build-ended')) throw error;
        if (!isAway(error) || Date.now() > end) {
          findings.push(`${what}: ${String(error)}`);
          throw error;
        }
        const kind = isLoamError(error) ? error.code : String(error);
        repeated.set(kind, (repeated.get(kind) ?? 0) + 1);
        await pause(250);
      }
    }
  }

  async function submit(own: Random): Promise<void> {
    const salt = `s${seed}-${serial++}`;
    const shape = drawShape(own, salt);
    const context = shape.context === undefined ? undefined : await upload(shape.context);
    const body = { ...shape.submission, ...(context === undefined ? {} : { context }) };
    const key = `key-${salt}`;
    const once = (): Promise<Build> => call(`submit ${salt}`, () => client.submit(body, key));
    const answers = await Promise.all(own.chance(0.25) ? [once(), once()] : [once()]);
    const [{ id }] = answers as [Build];
    if (answers.some((answer) => answer.id !== id)) findings.push(`the key ${key} made two builds`);
    const build: Submitted = { id, shape, isCancelled: false, end: undefined };
    submitted.push(build);
    if (own.chance(0.1)) {
      await pause(own.between(0, 8_000));
      await cancel(build);
    }
  }

  async function cancel(build: Submitted): Promise<void> {
    try {
      const answer = await call(`cancel ${build.id}`, () => client.cancelBuild(build.id));
      build.isCancelled = answer.cancelRequested || answer.state === 'cancelled';
    } catch {
      // Told as a finding already.
    }
  }

  async function upload({ manifest, blobs }: NonNullable<Shape['context']>): Promise<string> {
    const receipt = await call('put a context', () => client.putContext(manifest));
    for (const digest of receipt.missing) {
      const bytes = blobs.get(digest) ?? Buffer.alloc(0);
      await call('put a blob', () => client.putBlob(digest, bytes, bytes.length));
    }
    return receipt.digest;
  }

  async function retry(own: Random): Promise<void> {
    const ended = submitted.filter(
      ({ end, shape }) => end !== undefined && end !== 'succeeded' && shape.name !== 'secret',
    );
    if (ended.length === 0) return;
    const { id, shape } = own.pick(ended);
    // Without a key: a lost answer may leave a build that the model does not know, so only one call is made.
    const build = await client.retryBuild(id).catch(() => undefined);
    if (build) submitted.push({ id: build.id, shape, isCancelled: false, end: undefined });
  }

  async function look(): Promise<void> {
    for (const build of open()) {
      const { state } = await client.build(build.id);
      if (state === 'succeeded' || state === 'failed' || state === 'cancelled') build.end = state;
    }
  }

  function start(work: Promise<void>): void {
    const guarded = work.catch(() => undefined).finally(() => pending.delete(guarded));
    pending.add(guarded);
  }

  return {
    submitted,
    findings,
    repeatedCalls: () => repeated,
    async run(until) {
      while (!until()) {
        await look().catch(() => undefined);
        if (open().length + pending.size < inFlightMax) {
          start(random.chance(0.06) ? retry(random.fork()) : submit(random.fork()));
        }
        await pause(pollMs * random.next());
      }
      await Promise.all(pending);
    },
    async settle(timeoutMs) {
      const end = Date.now() + timeoutMs;
      while (open().length > 0 && Date.now() < end) {
        await look().catch(() => undefined);
        await pause(pollMs);
      }
      return open();
    },
  };
}

/** Whether the farm was away or on its way: what a program tries again. */
function isAway(error: unknown): boolean {
  return !isLoamError(error) || error.code === 'cli.api-unreachable' || error.status >= 500;
}
