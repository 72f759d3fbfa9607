import { isLoamError, sleep } from '@loam/base';
import { Content, WriteAction, type WriteContentResponse } from '../gen/services/content_pb.ts';
import { deadlines } from '../rpc/deadlines.ts';
import { errorFromSignal, errorFromTransport } from '../rpc/errors.ts';
import type { CallOptions, Rpc } from '../rpc/rpc.ts';
import type { Labels } from '../values.ts';

const chunkBytes = 1024 * 1024;
/** Messages on their way that the daemon has not answered: what they hold is memory of ours. */
const maxUnanswered = 16;
/** A writer that has just gone (a lost connection, an abort) holds its lock until the daemon has noticed. */
const lockWaitMs = 5_000;

export interface BlobWrite {
  /** Names the write, so that a later one goes on where it stopped. One writer at a time. */
  readonly ref: string;
  /** The bytes from `offset` on. Called once at most; not at all when the blob is there already. */
  readonly source: (offset: number) => AsyncIterable<Uint8Array>;
  /** The digest that the bytes must have. */
  readonly expected?: string | undefined;
  /** How many bytes there must be. */
  readonly total?: number | undefined;
  readonly labels?: Labels | undefined;
  /** Told how many bytes the daemon has stored. */
  readonly onProgress?: ((offset: number) => void) | undefined;
}

export interface WrittenBlob {
  readonly digest: string;
  readonly size: number;
  /** Whether the blob was there before, in which case some or all of `source` was not read. */
  readonly existed: boolean;
}

/**
 * Writes a blob and commits it. When it ends early (an abort, a lost connection, an error of the source), what
 * containerd has stored stays for the next write of the same ref. When the bytes turn out not to be what was promised
 * (`containerd.failed-precondition`), they are thrown away, so that the next write begins anew.
 */
export async function writeBlob(rpc: Rpc, blob: BlobWrite, options?: CallOptions): Promise<WrittenBlob> {
  const giveUpAt = rpc.clock.monotonic() + lockWaitMs;
  for (let delayMs = 10; ; delayMs = Math.min(delayMs * 2, 500)) {
    try {
      return await writeOnce(rpc, blob, options);
    } catch (error) {
      if (isLoamError(error, 'containerd.already-exists')) return await existing(rpc, blob, error.internal, options);
      if (isLoamError(error, 'containerd.failed-precondition')) {
        await rpc.unary(Content.method.abort, { ref: blob.ref }, undefined, deadlines.metadata);
      }
      if (!isLoamError(error, 'containerd.locked') || rpc.clock.monotonic() >= giveUpAt) throw error;
    }
    await sleep(rpc.clock, delayMs, options?.signal).catch((reason: unknown) => {
      throw options?.signal ? errorFromSignal(options.signal) : reason;
    });
  }
}

/** One stream: STAT tells where to begin, WRITEs follow without waiting for each answer, COMMIT ends it. */
async function writeOnce(rpc: Rpc, blob: BlobWrite, options?: CallOptions): Promise<WrittenBlob> {
  const call = rpc.bidi(Content.method.write, options, deadlines.bulk);
  const answers = new Answers(call.messages(), blob.onProgress);
  const promised = { expected: blob.expected ?? '', total: BigInt(blob.total ?? 0) };
  let pieces: AsyncGenerator<Uint8Array, void, undefined> | undefined;
  try {
    await call.send({ action: WriteAction.STAT, ref: blob.ref, ...promised });
    await answers.wait(0);
    let offset = Number(answers.last?.offset ?? 0n);
    let sent = 1;
    pieces = chunked(blob.source(offset));
    for (;;) {
      const piece = await answers.orEnd(pieces.next());
      if (piece.done) break;
      await answers.wait(maxUnanswered - 1);
      await call.send({
        action: WriteAction.WRITE,
        ref: blob.ref,
        offset: BigInt(offset),
        data: piece.value,
        ...promised,
      });
      answers.expect(++sent);
      offset += piece.value.length;
    }
    await answers.wait(0);
    // An offset of 0 would truncate what is there, so it is always told.
    await call.send({
      action: WriteAction.COMMIT,
      ref: blob.ref,
      offset: BigInt(offset),
      ...promised,
      total: BigInt(offset),
      labels: { ...blob.labels },
    });
    answers.expect(++sent);
    call.end();
    await answers.wait(0);
    return { digest: answers.last?.digest ?? '', size: offset, existed: false };
  } catch (error) {
    // A source that broke off: the next write goes on behind what was sent, if that is stored before the call is given up.
    await answers.wait(0).catch(() => undefined);
    throw error;
  } finally {
    // Nothing is lost by it: either the commit was answered, or what is stored stays for the next write.
    call.cancel();
    await answers.ended;
    // Not awaited: a source that hangs ends when it can.
    void pieces?.return().catch(() => undefined);
  }
}

/** Counts the daemon's answers: one per message, in order. */
class Answers {
  last: WriteContentResponse | undefined;
  #expected = 1;
  #received = 0;
  #failure: unknown;
  #wake: (() => void) | undefined;
  /** Resolves when the call is over, however it ended. */
  readonly ended: Promise<void>;
  readonly #over = Promise.withResolvers<never>();

  constructor(messages: AsyncIterable<WriteContentResponse>, onProgress: ((offset: number) => void) | undefined) {
    this.#over.promise.catch(() => undefined);
    this.ended = this.#run(messages, onProgress);
  }

  /** Tells how many messages have been sent by now. */
  expect(sent: number): void {
    this.#expected = sent;
  }

  /** Resolves when at most `unanswered` messages are without an answer; rejects with the end of the call. */
  async wait(unanswered: number): Promise<void> {
    while (this.#expected - this.#received > unanswered) {
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** What `next` comes to; rejects when the call ends first, so that a source which hangs does not hold the caller. */
  orEnd<T>(next: Promise<T>): Promise<T> {
    return Promise.race([next, this.#over.promise]);
  }

  async #run(
    messages: AsyncIterable<WriteContentResponse>,
    onProgress: ((offset: number) => void) | undefined,
  ): Promise<void> {
    try {
      for await (const message of messages) {
        this.last = message;
        this.#received += 1;
        if (message.action !== WriteAction.STAT) onProgress?.(Number(message.offset));
        this.#wake?.();
      }
      const ended = new Error('the daemon ended the write before it answered');
      this.#failure = errorFromTransport(ended, { method: 'Content.Write', subject: 'blob' });
    } catch (error) {
      this.#failure = error;
    }
    this.#wake?.();
    this.#over.reject(this.#failure);
  }
}

async function existing(rpc: Rpc, blob: BlobWrite, words: string | undefined, options?: CallOptions) {
  // Without a promised digest, the one that the commit came to is only in the server's words.
  const digest = blob.expected || (/sha256:[0-9a-f]{64}/.exec(words ?? '')?.[0] ?? '');
  const { info } = await rpc.unary(Content.method.info, { digest }, options, deadlines.metadata);
  return { digest, size: Number(info?.size ?? 0n), existed: true };
}

/** The same bytes in pieces of 1 MiB: far below the limit for a message, and few enough. */
async function* chunked(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let pending: Uint8Array[] = [];
  let size = 0;
  for await (const piece of source) {
    for (let at = 0; at < piece.length;) {
      const part = piece.subarray(at, at + chunkBytes - size);
      pending.push(part);
      size += part.length;
      at += part.length;
      if (size < chunkBytes) continue;
      yield joined(pending);
      pending = [];
      size = 0;
    }
  }
  if (size > 0) yield joined(pending);
}

function joined(parts: Uint8Array[]): Uint8Array {
  return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
}
