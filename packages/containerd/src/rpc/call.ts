import type { ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { constants } from 'node:http2';
import { LoamError, type Clock } from '@loam/base';
import { errorFromSignal, errorFromStatus, errorFromTransport, type CallContext, type GrpcStatus } from './errors.ts';
import { frame, FrameReader } from './frame.ts';

export interface CallLimits {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for the whole call; undefined is no limit. */
  readonly timeoutMs?: number | undefined;
}

/** One gRPC call on an HTTP/2 stream: frames out, frames in, and a status. Messages are bytes here. */
export class Call {
  readonly #stream: ClientHttp2Stream;
  readonly #context: CallContext;
  readonly #release: (() => void)[] = [];
  #status: GrpcStatus | undefined;
  #transportError: unknown;
  /** Set when we ended the call ourselves, which outranks whatever the stream says afterwards. */
  #ownEnd: LoamError | undefined;

  constructor(stream: ClientHttp2Stream, context: CallContext, limits: CallLimits, clock: Clock) {
    this.#stream = stream;
    this.#context = context;
    const readStatus = (headers: IncomingHttpHeaders): void => {
      this.#status ??= statusFrom(headers);
    };
    stream.once('response', readStatus);
    stream.once('trailers', readStatus);
    stream.on('error', (error) => (this.#transportError ??= error));
    stream.once('close', () => {
      for (const release of this.#release) release();
    });
    const { signal, timeoutMs } = limits;
    if (signal) {
      const onAbort = (): void => this.cancel(errorFromSignal(signal));
      signal.addEventListener('abort', onAbort, { once: true });
      this.#release.push(() => signal.removeEventListener('abort', onAbort));
    }
    if (timeoutMs !== undefined) {
      const internal = `no answer within ${timeoutMs} ms`;
      const expire = (): void =>
        this.cancel(LoamError.of('containerd.deadline-exceeded', { method: context.method }, { internal }));
      this.#release.push(clock.after(timeoutMs, expire));
    }
  }

  /** Ends the call from this side with that error; nothing when it has ended already. */
  cancel(error: LoamError): void {
    if (this.#ownEnd !== undefined || this.#stream.closed) return;
    this.#ownEnd = error;
    this.#stream.close(constants.NGHTTP2_CANCEL);
    // close() waits for what is being written; a server that reads no more must not hold us.
    this.#stream.destroy();
  }

  /** Sends one message; false when the caller should wait for `drained` before the next. */
  send(message: Uint8Array): boolean {
    return this.#stream.destroyed || this.#stream.write(frame(message));
  }

  /** Says that no further message follows, with a last one if given. */
  end(message?: Uint8Array): void {
    if (message === undefined) this.#stream.end();
    else this.#stream.end(frame(message));
  }

  /** Resolves when `send` may go on, or the call is over. */
  drained(): Promise<void> {
    const stream = this.#stream;
    if (stream.destroyed || !stream.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        stream.off('drain', done);
        stream.off('close', done);
        resolve();
      };
      stream.on('drain', done);
      stream.on('close', done);
    });
  }

  /** The single answer of a unary call. */
  answer(): Promise<Uint8Array> {
    const stream = this.#stream;
    return new Promise((resolve, reject) => {
      const reader = new FrameReader();
      let answer: Uint8Array | undefined;
      stream.on('data', (chunk: Uint8Array) => {
        try {
          answer ??= reader.push(chunk)[0];
        } catch (error) {
          stream.destroy(error as Error);
        }
      });
      const settle = (): void => {
        const failure = this.#failure();
        if (failure) reject(failure);
        else if (answer) resolve(answer);
        else reject(errorFromTransport(new Error('no message in the answer'), this.#context));
      };
      // `close` comes some ticks after `end`; a status that is known by then need not wait for it.
      stream.once('end', () => this.#status && settle());
      stream.once('close', settle);
    });
  }

  /** The messages of a stream, as they come; leaving the loop early ends the call. */
  async *messages(): AsyncGenerator<Uint8Array, void, undefined> {
    const reader = new FrameReader();
    try {
      for await (const chunk of this.#stream) yield* reader.push(chunk as Uint8Array);
    } catch (error) {
      this.#transportError ??= error;
    } finally {
      if (!this.#stream.closed) this.#stream.close(constants.NGHTTP2_CANCEL);
    }
    const failure = this.#failure();
    if (failure) throw failure;
  }

  #failure(): LoamError | undefined {
    if (this.#ownEnd) return this.#ownEnd;
    if (this.#status) return this.#status.code === 0 ? undefined : errorFromStatus(this.#status, this.#context);
    const reason =
      this.#transportError ?? new Error(`the stream ended without a status (reset ${this.#stream.rstCode})`);
    return errorFromTransport(reason, this.#context);
  }
}

function statusFrom(headers: IncomingHttpHeaders): GrpcStatus | undefined {
  const code = headers['grpc-status'];
  if (code === undefined) return undefined;
  const message = headers['grpc-message'];
  return { code: Number(code), message: decodeMessage(Array.isArray(message) ? message.join() : (message ?? '')) };
}

function decodeMessage(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    // Not percent-encoded as the protocol asks: the raw text says more than none.
    return message;
  }
}
