import { once } from 'node:events';
import net from 'node:net';

import { sleep, type Clock } from '@loam/base';

import { fail } from '../grpc-codes.ts';

/**
 * `CopyAfterExitTimeout` (reference §5.2), in pieces. Reader and relay may be one process: were it one timer, a machine that
 * stands still for a second would let it fire before the reader had a turn, and make a prompt reader a slow one.
 */
const drainAfterExitMs = 1_000;
const drainPieces = 100;
const firstRedialMs = 200;
/**
 * What a process may have written that nobody has taken yet, before its next write waits. Real pipes hold less; so much
 * shows what is lost at the exit (§5.2), and no more is asked of a second than a busy machine can do.
 */
const capacityBytes = 1 << 20;
const pieceBytes = 1 << 16;

export interface PipePaths {
  readonly stdin: string;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Dials a pipe of the client, who is its server and must listen by now (reference §5.1). A unix socket stands in for a pipe
 * where there are none.
 */
export async function dialPipe(path: string): Promise<net.Socket> {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(path)?.[1];
  if (scheme !== undefined) throw fail.unknown(`scheme must be 'binary', got: '${scheme.toLowerCase()}'`);
  const socket = net.connect({ path });
  try {
    await once(socket, 'connect');
  } catch {
    throw fail.unknown(`open ${path}: The system cannot find the file specified.`);
  }
  socket.on('error', () => socket.destroy());
  return socket;
}

/** The shim's side of one output: what the process writes goes to the pipe, which is dialled again when it breaks (§5.1). */
export class OutputRelay {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #retryMs: number;
  #socket: net.Socket | undefined;
  #pending: Uint8Array[] = [];
  #isCut = false;
  /** What was not through when the relay was cut. */
  lostBytes = 0;
  #pumping: Promise<void> = Promise.resolve();
  #progressed: () => void = () => undefined;

  /** `retryMs`: for how long a broken pipe is dialled again; 0 is for ever. */
  constructor(path: string, socket: net.Socket | undefined, clock: Clock, retryMs: number) {
    this.#path = path;
    this.#socket = socket;
    this.#clock = clock;
    this.#retryMs = retryMs;
    socket?.resume();
  }

  write(bytes: Uint8Array): void {
    if (this.#isCut || this.#socket === undefined || bytes.length === 0) return;
    const isIdle = this.#pending.length === 0;
    for (let at = 0; at < bytes.length; at += pieceBytes) this.#pending.push(bytes.slice(at, at + pieceBytes));
    if (isIdle) this.#pumping = this.#pump();
  }

  /** Resolves when a process that has written all this could have come to its end. */
  async taken(): Promise<void> {
    while (!this.#isCut && this.#pendingBytes() > capacityBytes) {
      await new Promise<void>((resolve) => (this.#progressed = resolve));
    }
  }

  /** After the exit: what is not through within a second is lost (reference §5.2). */
  async finish(): Promise<void> {
    const stop = new AbortController();
    const cutOff = this.#timeToDrain(stop.signal).catch(() => undefined);
    await Promise.race([this.#drained(), cutOff]);
    this.#isCut = true;
    this.lostBytes = this.#pendingBytes();
    stop.abort();
    const socket = this.#socket;
    if (socket === undefined) return;
    if (this.#pending.length > 0 || socket.destroyed) socket.destroy();
    else {
      socket.end();
      await Promise.race([once(socket, 'close').catch(() => undefined), cutOff]);
      // What the kernel holds stays readable: only this end is closed.
      socket.destroySoon();
    }
  }

  destroy(): void {
    this.#isCut = true;
    this.#progressed();
    this.#socket?.destroy();
  }

  async #timeToDrain(signal: AbortSignal): Promise<void> {
    for (let piece = 0; piece < drainPieces; piece += 1) {
      await sleep(this.#clock, drainAfterExitMs / drainPieces, signal);
    }
  }

  async #drained(): Promise<void> {
    while (this.#pending.length > 0) await this.#pumping;
  }

  async #pump(): Promise<void> {
    while (this.#pending.length > 0 && !this.#isCut) {
      const bytes = this.#pending[0] ?? new Uint8Array(0);
      if (await this.#send(bytes)) this.#pending.shift();
      else if (!(await this.#redial())) {
        this.#pending = [];
        this.#socket = undefined;
      }
      this.#progressed();
    }
  }

  #pendingBytes(): number {
    return this.#pending.reduce((sum, bytes) => sum + bytes.length, 0);
  }

  #send(bytes: Uint8Array): Promise<boolean> {
    const socket = this.#socket;
    return new Promise((resolve) => {
      if (!socket || socket.destroyed) {
        resolve(false);
        return;
      }
      const onClose = (): void => resolve(false);
      socket.once('close', onClose);
      socket.write(bytes, (error) => {
        socket.off('close', onClose);
        resolve(!error);
      });
    });
  }

  async #redial(): Promise<boolean> {
    const startMs = this.#clock.monotonic();
    for (let delayMs = firstRedialMs; !this.#isCut; delayMs = Math.min(delayMs * 2, 60_000)) {
      await sleep(this.#clock, delayMs);
      if (this.#isCut) return false;
      try {
        this.#socket = await dialPipe(this.#path);
        this.#socket.resume();
        return true;
      } catch {
        if (this.#retryMs > 0 && this.#clock.monotonic() - startMs >= this.#retryMs) return false;
      }
    }
    return false;
  }
}
