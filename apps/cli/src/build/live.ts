import { WebSocket } from 'ws';

import { LoamError, type Clock } from '@loam/base';
import type { LiveFrame, LiveRequest } from '@loam/contracts';

import type { Farm } from '../settings.ts';
import { pause } from './until-farm-answers.ts';

export interface LiveOptions {
  readonly farm: Farm;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** A connection is there, the first or another one. */
  readonly onConnected: (send: (request: LiveRequest) => void) => void;
  readonly onFrame: (frame: LiveFrame) => void;
  /** The connection was lost; it is tried again in `retryMs`. */
  readonly onLost: (retryMs: number) => void;
}

const silenceMs = 15_000;
const firstRetryMs = 200;
const lastRetryMs = 5_000;

/**
 * Keeps a connection to the live socket until the signal aborts, however often it breaks. Rejects when the farm refuses us
 * for good (no such token, no such address), or cannot be reached the first time.
 */
export async function stayConnected(options: LiveOptions): Promise<void> {
  let retryMs = firstRetryMs;
  let everConnected = false;
  while (!options.signal.aborted) {
    const outcome = await connectOnce(options, () => {
      everConnected = true;
      retryMs = firstRetryMs;
    });
    if (options.signal.aborted) return;
    if (outcome instanceof LoamError && (outcome.code !== 'cli.api-unreachable' || !everConnected)) throw outcome;
    options.onLost(retryMs);
    await pause(options.clock, retryMs, options.signal).catch(() => undefined);
    retryMs = Math.min(retryMs * 2, lastRetryMs);
  }
}

/** Resolves when the connection is over: with an error when it never stood. */
function connectOnce(options: LiveOptions, onOpen: () => void): Promise<LoamError | undefined> {
  const { farm, clock, signal } = options;
  return new Promise((resolve) => {
    const socket = new WebSocket(`${farm.url.replace(/^http/, 'ws')}/api/v1/live`, {
      headers: farm.token === undefined ? {} : { authorization: `Bearer ${farm.token}` },
      handshakeTimeout: silenceMs,
      maxPayload: 64 * 1024 * 1024,
    });
    let failure: LoamError | undefined;
    let heard = true;
    let cancelTimer = clock.after(silenceMs, check);
    const onAbort = (): void => socket.terminate();
    signal.addEventListener('abort', onAbort, { once: true });

    // A peer that is gone without a word is noticed by its silence.
    function check(): void {
      if (!heard) {
        socket.terminate();
        return;
      }
      heard = false;
      if (socket.readyState === WebSocket.OPEN) socket.ping();
      cancelTimer = clock.after(silenceMs, check);
    }

    socket.on('open', () => {
      onOpen();
      options.onConnected((request) => {
        if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(request));
      });
    });
    socket.on('message', (data) => {
      heard = true;
      options.onFrame(JSON.parse((data as Buffer).toString()) as LiveFrame);
    });
    socket.on('pong', () => {
      heard = true;
    });
    socket.on('unexpected-response', (_request, response) => {
      const status = response.statusCode ?? 0;
      response.resume();
      if (status === 401) failure = LoamError.of('cli.no-token', { url: farm.url });
      else if (status >= 400 && status < 500) failure = LoamError.of('cli.api-answer', { status });
      else failure = LoamError.of('cli.api-unreachable', { url: farm.url });
      socket.terminate();
    });
    socket.on('error', (cause) => {
      failure ??= LoamError.of('cli.api-unreachable', { url: farm.url }, { cause });
    });
    socket.on('close', () => {
      cancelTimer();
      signal.removeEventListener('abort', onAbort);
      resolve(failure);
    });
  });
}
