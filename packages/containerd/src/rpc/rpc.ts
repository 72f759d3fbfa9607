import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type DescMethodBiDiStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import { cancelled, type Clock } from '@loam/base';
import { socketPath } from './address.ts';
import { Call, type CallLimits } from './call.ts';
import { Channel } from './channel.ts';
import { callContext, errorFromSignal, errorFromTransport } from './errors.ts';

/** What every call takes. */
export interface CallOptions {
  /** Aborting it ends the call with `general.cancelled`. */
  readonly signal?: AbortSignal | undefined;
  /** Attaches what the call creates to this lease. */
  readonly lease?: string | undefined;
  /** Milliseconds until `containerd.deadline-exceeded`; each method has its own default. */
  readonly timeoutMs?: number | undefined;
}

/** A call with messages both ways. */
export interface BidiCall<I extends DescMessage, O extends DescMessage> {
  /** Sends one message; resolves when there is room for the next. */
  send(message: MessageInitShape<I>): Promise<void>;
  end(): void;
  /** Ends the call from this side; nothing when it is over. */
  cancel(): void;
  messages(): AsyncGenerator<MessageShape<O>, void, undefined>;
}

/** gRPC to one daemon in one namespace. Requests and answers are proto messages; errors are LoamErrors. */
export interface Rpc {
  readonly namespace: string;
  readonly clock: Clock;
  unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions | undefined,
    defaultTimeoutMs: number | undefined,
  ): Promise<MessageShape<O>>;
  /** Opens the stream at once, not at the first read. */
  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions | undefined,
    defaultTimeoutMs: number | undefined,
  ): AsyncGenerator<MessageShape<O>, void, undefined>;
  bidi<I extends DescMessage, O extends DescMessage>(
    method: DescMethodBiDiStreaming<I, O>,
    options: CallOptions | undefined,
    defaultTimeoutMs: number | undefined,
  ): BidiCall<I, O>;
  close(): void;
}

type AnyMethod = DescMethodUnary | DescMethodServerStreaming | DescMethodBiDiStreaming;

/**
 * gRPC over node:http2, because a general client costs three times as much per call (see README.md) and a build step
 * makes a dozen calls.
 */
export function createRpc(config: { address: string; namespace: string; clock: Clock }): Rpc {
  const { namespace, clock } = config;
  const channel = new Channel(socketPath(config.address));

  function open(method: AnyMethod, options: CallOptions | undefined, defaultTimeoutMs: number | undefined): Call {
    const context = callContext(method.parent.name, method.name);
    if (options?.signal?.aborted) throw errorFromSignal(options.signal);
    const limits: CallLimits = { signal: options?.signal, timeoutMs: options?.timeoutMs ?? defaultTimeoutMs };
    const headers: Record<string, string> = {
      ':method': 'POST',
      ':path': `/${method.parent.typeName}/${method.name}`,
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'loam',
      'containerd-namespace': namespace,
    };
    if (options?.lease !== undefined) headers['containerd-lease'] = options.lease;
    if (limits.timeoutMs !== undefined) headers['grpc-timeout'] = grpcTimeout(limits.timeoutMs);
    try {
      return new Call(channel.request(headers), context, limits, clock);
    } catch (error) {
      throw errorFromTransport(error, context);
    }
  }

  return {
    namespace,
    clock,
    async unary(method, request, options, defaultTimeoutMs) {
      const call = open(method, options, defaultTimeoutMs);
      call.end(toBinary(method.input, create(method.input, request)));
      return fromBinary(method.output, await call.answer());
    },
    stream(method, request, options, defaultTimeoutMs) {
      const call = open(method, options, defaultTimeoutMs);
      call.end(toBinary(method.input, create(method.input, request)));
      return decode(method.output, call);
    },
    bidi(method, options, defaultTimeoutMs) {
      const call = open(method, options, defaultTimeoutMs);
      return {
        async send(message) {
          if (!call.send(toBinary(method.input, create(method.input, message)))) await call.drained();
        },
        end: () => call.end(),
        cancel: () => call.cancel(cancelled()),
        messages: () => decode(method.output, call),
      };
    },
    close: () => channel.close(),
  };
}

async function* decode<O extends DescMessage>(output: O, call: Call): AsyncGenerator<MessageShape<O>, void, undefined> {
  for await (const message of call.messages()) yield fromBinary(output, message);
}

/** The protocol allows eight digits: milliseconds up to a day, seconds beyond. */
function grpcTimeout(timeoutMs: number): string {
  return timeoutMs < 1e8
    ? `${Math.max(1, Math.ceil(timeoutMs))}m`
    : `${Math.min(99_999_999, Math.ceil(timeoutMs / 1000))}S`;
}
