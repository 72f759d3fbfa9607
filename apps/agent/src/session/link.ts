import { globalAgent } from 'node:https';

import type { AgentMessage, ApiMessage } from '@loam/contracts';
import { WebSocket } from 'ws';

export interface LinkEvents {
  readonly onOpen: () => void;
  readonly onMessage: (message: ApiMessage) => void;
  /** Anything at all came from the other side. */
  readonly onAlive: () => void;
  /** Once, also when the link never opened. */
  readonly onClose: (why: LinkClosed) => void;
}

export interface LinkClosed {
  readonly reason: string;
  /** The closing code, or the HTTP status with which the link was refused; 1006 when there was neither. */
  readonly code: number;
}

/** One websocket to the API. */
export interface Link {
  send(message: AgentMessage): void;
  /** Bytes that wait in this process for the network. */
  readonly bufferedBytes: number;
  ping(): void;
  /** Says goodbye, and gives up on an answer after a second. */
  close(): void;
  /** Ends it at once. */
  terminate(): void;
}

export type OpenLink = (events: LinkEvents) => Link;

const handshakeTimeoutMs = 15_000;
const maxMessageBytes = 64 * 1024 * 1024;

/** Opens links to `/api/v1/agent/link` of the farm at `url` (http or https). */
export function webSocketLinks(url: string, credential: string): OpenLink {
  const address = new URL('/api/v1/agent/link', url);
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
  return (events) => {
    const socket = new WebSocket(address, {
      headers: { authorization: `Bearer ${credential}` },
      handshakeTimeout: handshakeTimeoutMs,
      perMessageDeflate: false,
      // Without one, ws connects by itself and passes over the proxy that Node was told of.
      ...(address.protocol === 'wss:' ? { agent: globalAgent } : {}),
      maxPayload: maxMessageBytes,
    });
    let why: LinkClosed | undefined;
    socket.on('open', events.onOpen);
    socket.on('message', (data) => {
      events.onAlive();
      const message = parse(data);
      if (message) events.onMessage(message);
      else socket.close(1007, 'not a message');
    });
    socket.on('pong', events.onAlive);
    socket.on('unexpected-response', (request, response) => {
      why = { reason: `HTTP ${response.statusCode}`, code: response.statusCode ?? 1006 };
      response.resume();
      request.destroy();
      socket.terminate();
    });
    socket.on('error', (error) => (why ??= { reason: error.message, code: 1006 }));
    socket.on('close', (code, reason) =>
      events.onClose(why ?? { reason: reason.toString() || 'the connection ended', code }),
    );
    return {
      send: (message) => socket.send(JSON.stringify(message)),
      get bufferedBytes() {
        return socket.bufferedAmount;
      },
      ping: () => socket.ping(),
      close() {
        socket.close(1000);
        setTimeout(() => socket.terminate(), 1000).unref();
      },
      terminate: () => socket.terminate(),
    };
  };
}

function parse(data: { toString(): string }): ApiMessage | undefined {
  try {
    const value = JSON.parse(data.toString()) as ApiMessage;
    return typeof value === 'object' && typeof value.type === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
