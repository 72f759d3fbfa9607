import type { LiveFrame } from '@loam/contracts';
import type { WebSocket } from 'ws';

/**
 * Sends frames to one viewer, one at a time, each when the socket has taken the one before. States that are overtaken
 * before their turn are never sent: a viewer on a slow line sees fewer steps in between, and costs no memory.
 */
export class Outbox {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<string, LiveFrame>();
  #isSending = false;

  constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  /** Puts a state in line, in the place of an older one under the same key. */
  put(key: string, frame: LiveFrame): void {
    this.#waiting.delete(key);
    this.#waiting.set(key, frame);
    if (!this.#isSending) void this.#run();
  }

  /** Forgets what waits under keys that begin so. */
  forget(prefix: string): void {
    for (const key of this.#waiting.keys()) if (key.startsWith(prefix)) this.#waiting.delete(key);
  }

  /** Sends a frame that must not be left out; resolves when the socket has taken it. False when the viewer is gone. */
  send(frame: LiveFrame): Promise<boolean> {
    const socket = this.#socket;
    if (socket.readyState !== socket.OPEN) return Promise.resolve(false);
    return new Promise((resolve) => {
      socket.send(JSON.stringify(frame), (error) => resolve(error === undefined || error === null));
    });
  }

  async #run(): Promise<void> {
    this.#isSending = true;
    for (;;) {
      const [next] = this.#waiting;
      if (next === undefined) break;
      this.#waiting.delete(next[0]);
      if (!(await this.send(next[1]))) this.#waiting.clear();
    }
    this.#isSending = false;
  }
}
