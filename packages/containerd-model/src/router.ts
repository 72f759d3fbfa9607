import type { DescMessage, DescMethod, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { handle, type GrpcHandler } from '@loam/containerd/testing';

import type { Faults } from './faults.ts';
import { fail } from './grpc-codes.ts';
import type { OpenCall, Recording } from './recording.ts';

/** What the headers of a call say (reference §1.1). */
export interface Call {
  readonly namespace: string;
  readonly lease: string | undefined;
  /** Aborts when the client has ended the call. */
  readonly signal: AbortSignal;
  readonly recorded: OpenCall;
}

type Method<I extends DescMessage, O extends DescMessage> = DescMethod & { readonly input: I; readonly output: O };

/** Services without a namespace. */
const global = new Set(['Version', 'Introspection', 'Namespaces', 'Events']);

/** Collects the methods of the server; each call is recorded and goes through the faults that a test has planted. */
export class Router {
  readonly handlers: GrpcHandler[] = [];
  readonly #faults: Faults;
  readonly #recording: Recording;

  constructor(faults: Faults, recording: Recording) {
    this.#faults = faults;
    this.#recording = recording;
  }

  unary<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    answer: (request: MessageShape<I>, call: Call) => Promise<MessageInitShape<O>> | MessageInitShape<O>,
  ): void {
    this.stream(method, async function* (request, call) {
      const message = await answer(request, call);
      call.recorded.answer = message;
      yield message;
    });
  }

  stream<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    answer: (request: MessageShape<I>, call: Call) => AsyncIterable<MessageInitShape<O>>,
  ): void {
    this.bidi(method, async function* (requests, call) {
      for await (const request of requests) {
        call.recorded.request = request;
        yield* answer(request, call);
        return;
      }
    });
  }

  bidi<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    answer: (requests: AsyncIterable<MessageShape<I>>, call: Call) => AsyncIterable<MessageInitShape<O>>,
  ): void {
    const service = method.parent.name;
    const name = `${service}.${method.name}`;
    const faults = this.#faults;
    const recording = this.#recording;
    const handler = handle(method, async function* (requests, { headers, signal }) {
      const namespace = headerOf(headers['containerd-namespace']) ?? '';
      if (namespace === '' && !global.has(service)) throw fail.precondition('namespace is required');
      const lease = headerOf(headers['containerd-lease']);
      const recorded = recording.begin(name, namespace, lease);
      try {
        await faults.before(name);
        for await (const message of answer(requests, { namespace, lease, signal, recorded })) {
          await faults.afterWork(name);
          recording.end(recorded);
          yield message;
        }
      } catch (error) {
        recorded.error = error instanceof Error ? error.message : String(error);
        throw error;
      } finally {
        recording.end(recorded);
      }
    });
    this.handlers.push(handler);
  }
}

function headerOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
