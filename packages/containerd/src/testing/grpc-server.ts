import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type DescMethod,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import { frame, FrameReader } from '../rpc/frame.ts';

/** Ends a call with that gRPC status. */
export class GrpcStatusError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export interface ServerCall {
  readonly headers: IncomingHttpHeaders;
  /** Aborts when the client has ended the call. */
  readonly signal: AbortSignal;
}

/** Answers one method. Unary methods read one request and yield one answer. */
export interface GrpcHandler {
  readonly path: string;
  run(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void>;
}

/** A handler with the types of `method`, whatever its kind. */
export function handle<I extends DescMessage, O extends DescMessage>(
  method: DescMethod & { readonly input: I; readonly output: O },
  answer: (requests: AsyncIterable<MessageShape<I>>, call: ServerCall) => AsyncIterable<MessageInitShape<O>>,
): GrpcHandler {
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    async run(stream, headers) {
      const ended = new AbortController();
      stream.once('close', () => ended.abort());
      const requests = decode(stream, method.input);
      for await (const message of answer(requests, { headers, signal: ended.signal })) {
        stream.write(frame(toBinary(method.output, create(method.output, message))));
      }
    },
  };
}

/** A gRPC server in this process, on a unix socket or a named pipe, for tests that need one which misbehaves on demand. */
export async function serveGrpc(path: string, handlers: readonly GrpcHandler[]): Promise<{ close(): Promise<void> }> {
  const byPath = new Map(handlers.map((handler) => [handler.path, handler]));
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer();
  server.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    // Clients of tests go away without a word.
    session.on('error', () => session.destroy());
  });
  server.on('stream', (stream, headers) => void answer(stream, headers, byPath.get(headers[':path'] ?? '')));
  server.listen(path);
  await once(server, 'listening');
  return {
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const session of sessions) session.destroy();
      await closed;
    },
  };
}

async function answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, handler: GrpcHandler | undefined) {
  let [code, text] = [0, ''];
  stream.on('error', () => stream.destroy());
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.once('wantTrailers', () =>
    stream.sendTrailers({ 'grpc-status': String(code), 'grpc-message': encodeURIComponent(text) }),
  );
  try {
    if (!handler) throw new GrpcStatusError(12, `unknown method ${headers[':path']}`);
    await handler.run(stream, headers);
  } catch (error) {
    [code, text] = error instanceof GrpcStatusError ? [error.code, error.message] : [2, String(error)];
  }
  if (!stream.destroyed) stream.end();
}

async function* decode<I extends DescMessage>(stream: ServerHttp2Stream, schema: I): AsyncGenerator<MessageShape<I>> {
  const reader = new FrameReader();
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    for (const message of reader.push(chunk as Uint8Array)) yield fromBinary(schema, message);
  }
}

/** Where a test listens that would make a unix socket at `path`: there, or, on Windows, on a named pipe called after it. */
export function localEndpoint(path: string): string {
  return process.platform === 'win32' ? `\\\\.\\pipe\\${path.replaceAll(/[:\\/]/g, '-')}` : path;
}
