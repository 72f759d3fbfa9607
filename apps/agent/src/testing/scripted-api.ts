import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { AgentMessage, ApiMessage } from '@loam/contracts';
import { WebSocketServer, type WebSocket } from 'ws';

type Of<T extends AgentMessage['type']> = Extract<AgentMessage, { type: T }>;

/** The API's end of one link, played by a test. */
export interface ScriptedLink {
  readonly authorization: string | undefined;
  /** The next message, which must be of that type; heartbeats, inventories and reports of the doctor are passed over unless asked for. */
  next<T extends AgentMessage['type']>(type: T): Promise<Of<T>>;
  send(message: ApiMessage): void;
  /** Hello and welcome. */
  greet(attempts?: Extract<ApiMessage, { type: 'welcome' }>['attempts']): Promise<Of<'hello'>>;
  cut(): void;
  readonly closed: Promise<unknown>;
}

/** A websocket server that speaks only when the test says so. */
export interface ScriptedApi {
  readonly url: string;
  /** What `GET /api/v1/agent…` answers, by the path behind that. */
  readonly files: Map<string, string | Uint8Array>;
  /** Paths that were asked for. */
  readonly requests: string[];
  /** The next link that an agent opens. */
  link(): Promise<ScriptedLink>;
  close(): Promise<void>;
}

export async function startScriptedApi(): Promise<ScriptedApi> {
  const files = new Map<string, string | Uint8Array>();
  const requests: string[] = [];
  const http = createServer((request, response) => {
    const path = (request.url ?? '').replace(/^\/api\/v1\/agent/, '');
    requests.push(path);
    const file = files.get(path);
    response.writeHead(file === undefined ? 404 : 200).end(file);
  });
  const server = new WebSocketServer({ server: http, path: '/api/v1/agent/link' });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const links = queue<ScriptedLink>();
  server.on('connection', (socket, request) => links.push(scripted(socket, request.headers.authorization)));
  const { port } = http.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    files,
    requests,
    link: () => links.shift(),
    async close() {
      for (const socket of server.clients) socket.terminate();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

function scripted(socket: WebSocket, authorization: string | undefined): ScriptedLink {
  const messages = queue<AgentMessage>();
  socket.on('message', (data: Buffer) => messages.push(JSON.parse(data.toString()) as AgentMessage));
  const link: ScriptedLink = {
    authorization,
    closed: once(socket, 'close'),
    async next(type) {
      for (;;) {
        const message = await messages.shift();
        if (message.type === type) return message as Of<typeof type>;
        if (!['heartbeat', 'inventory', 'doctor-report'].includes(message.type)) {
          throw new Error(`expected ${type}, got ${JSON.stringify(message)}`);
        }
      }
    },
    send: (message) => socket.send(JSON.stringify(message)),
    async greet(attempts = []) {
      const hello = await link.next('hello');
      link.send({ type: 'welcome', agentId: 'agt_test', heartbeatMs: 10_000, attempts });
      return hello;
    },
    cut: () => socket.terminate(),
  };
  return link;
}

function queue<T>(): { push(value: T): void; shift(): Promise<T> } {
  const values: T[] = [];
  const waiting: ((value: T) => void)[] = [];
  return {
    push(value) {
      const first = waiting.shift();
      if (first) first(value);
      else values.push(value);
    },
    shift() {
      const value = values.shift();
      return value === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(value);
    },
  };
}
