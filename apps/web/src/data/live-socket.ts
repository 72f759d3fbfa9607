import type { LiveFrame, LiveRequest } from '@loam/contracts';

import { decodeBase64 } from './base64.ts';

/** The part of a WebSocket that is used. */
export interface SocketLike {
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: (() => void) | null;
  send(text: string): void;
  close(): void;
}

export interface LiveSocketOptions {
  readonly open: () => SocketLike;
  /** Runs `task` after `delayMs`; gives what cancels it. */
  readonly later: (task: () => void, delayMs: number) => () => void;
  /** In [0, 1); spreads the reconnections of many pages. */
  readonly random: () => number;
}

/** Where the bytes of a followed log go. */
export interface LogSink {
  /** The offset from which bytes are wanted next. */
  offset(): number;
  /** `gap` when the bytes do not join on: they are asked for again. */
  bytes(offset: number, data: Uint8Array): 'appended' | 'known' | 'gap';
  end(size: number): void;
}

export type LiveStatus = 'connecting' | 'open' | 'down';

const firstDelayMs = 500;
const longestDelayMs = 10_000;

/**
 * The page's one websocket. Subscriptions outlive connections: after each (re)connection everything is asked for again,
 * logs from the byte where they stand, so that a cut neither loses nor doubles anything.
 */
export class LiveSocket {
  readonly #options: LiveSocketOptions;
  #socket: SocketLike | null = null;
  #status: LiveStatus = 'connecting';
  #failures = 0;
  #cancelRetry: (() => void) | null = null;
  #started = false;
  readonly #plain = new Map<string, { request: LiveRequest; stop: LiveRequest | null; users: number }>();
  readonly #logs = new Map<string, Set<LogSink>>();
  readonly #askedAgain = new Map<string, number>();
  readonly #frameListeners = new Set<(frame: LiveFrame) => void>();
  readonly #statusListeners = new Set<() => void>();

  constructor(options: LiveSocketOptions) {
    this.#options = options;
  }

  readonly status = (): LiveStatus => this.#status;

  readonly onStatus = (listener: () => void): (() => void) => {
    this.#statusListeners.add(listener);
    return () => this.#statusListeners.delete(listener);
  };

  /** Every frame but log bytes. */
  onFrame(listener: (frame: LiveFrame) => void): () => void {
    this.#frameListeners.add(listener);
    return () => this.#frameListeners.delete(listener);
  }

  start(): void {
    this.#started = true;
    if (this.#socket === null) this.#connect();
  }

  stop(): void {
    this.#started = false;
    this.#cancelRetry?.();
    this.#cancelRetry = null;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  /** Tries now instead of when the wait is over: the network came back or the page was looked at again. */
  nudge(): void {
    if (this.#cancelRetry === null) return;
    this.#cancelRetry();
    this.#connect();
  }

  watchBuild(buildId: string): () => void {
    return this.#watch(`build ${buildId}`, { type: 'watch-build', buildId }, { type: 'unwatch-build', buildId });
  }

  watchBuilds(): () => void {
    return this.#watch('builds', { type: 'watch-builds' }, null);
  }

  watchAgents(): () => void {
    return this.#watch('agents', { type: 'watch-agents' }, null);
  }

  watchLog(logId: string, sink: LogSink): () => void {
    const sinks = this.#logs.get(logId) ?? new Set();
    sinks.add(sink);
    this.#logs.set(logId, sinks);
    this.#askLog(logId);
    return () => {
      if (!sinks.delete(sink) || sinks.size > 0) return;
      this.#logs.delete(logId);
      this.#send({ type: 'unwatch-log', logId });
    };
  }

  #watch(key: string, request: LiveRequest, stop: LiveRequest | null): () => void {
    const entry = this.#plain.get(key) ?? { request, stop, users: 0 };
    entry.users += 1;
    this.#plain.set(key, entry);
    if (entry.users === 1) this.#send(request);
    let watching = true;
    return () => {
      if (!watching) return;
      watching = false;
      entry.users -= 1;
      if (entry.users > 0) return;
      this.#plain.delete(key);
      if (entry.stop !== null) this.#send(entry.stop);
    };
  }

  #connect(): void {
    this.#cancelRetry = null;
    const socket = this.#options.open();
    this.#socket = socket;
    socket.onopen = () => {
      if (socket !== this.#socket) return;
      this.#failures = 0;
      this.#askedAgain.clear();
      this.#setStatus('open');
      for (const { request } of this.#plain.values()) this.#send(request);
      for (const logId of this.#logs.keys()) this.#askLog(logId);
    };
    socket.onmessage = ({ data }) => {
      if (socket === this.#socket && typeof data === 'string') this.#receive(JSON.parse(data) as LiveFrame);
    };
    socket.onclose = () => {
      if (socket !== this.#socket) return;
      this.#socket = null;
      if (!this.#started) return;
      this.#failures += 1;
      this.#setStatus('down');
      const delay = Math.min(longestDelayMs, firstDelayMs * 2 ** (this.#failures - 1));
      this.#cancelRetry = this.#options.later(() => this.#connect(), delay * (0.7 + 0.6 * this.#options.random()));
    };
  }

  #receive(frame: LiveFrame): void {
    if (frame.type === 'log') {
      const data = decodeBase64(frame.data);
      for (const sink of this.#logs.get(frame.logId) ?? []) {
        if (sink.bytes(frame.offset, data) === 'gap') this.#askLogAgain(frame.logId, sink.offset());
      }
      return;
    }
    if (frame.type === 'log-end') {
      for (const sink of this.#logs.get(frame.logId) ?? []) {
        if (sink.offset() < frame.size) this.#askLogAgain(frame.logId, sink.offset());
        else sink.end(frame.size);
      }
      return;
    }
    for (const listener of this.#frameListeners) listener(frame);
  }

  /** Once for each offset and connection: frames that were under way when the hole appeared must not each ask. */
  #askLogAgain(logId: string, offset: number): void {
    if (this.#askedAgain.get(logId) === offset) return;
    this.#askedAgain.set(logId, offset);
    this.#askLog(logId);
  }

  #askLog(logId: string): void {
    const sinks = [...(this.#logs.get(logId) ?? [])];
    if (sinks.length === 0) return;
    this.#send({ type: 'watch-log', logId, from: Math.min(...sinks.map((sink) => sink.offset())) });
  }

  #send(request: LiveRequest): void {
    if (this.#status === 'open' && this.#socket !== null) this.#socket.send(JSON.stringify(request));
  }

  #setStatus(status: LiveStatus): void {
    this.#status = status;
    for (const listener of this.#statusListeners) listener();
  }
}
