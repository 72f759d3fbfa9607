import { createServer, type Server, type Socket } from 'node:net';

import type { OutputStream } from '@loam/backend';

import type { Stdio } from '../platform-driver.ts';

export interface PipeStdioOptions {
  /** Of the pipes' paths: `\\.\pipe\` and a name that is this run's own. Elsewhere a directory stands in for the former. */
  readonly prefix: string;
  readonly withStdin: boolean;
  readonly onOutput: (stream: OutputStream, bytes: Uint8Array) => void;
}

/**
 * Standard streams over named pipes of which this process is the server (reference §5.1, §5.2).
 *
 * All of them listen before the task is created: the shim dials within the call. What arrives is handed on at once and never
 * held back, because the shim gives up what is left one second after the exit. When a connection breaks the shim dials again
 * (`io_retry_timeout_in_sec`), and what comes then is appended. So `ended` is asked for after the exit: it resolves when both
 * outputs have been dialled and no connection of theirs is open any more.
 */
export class PipeStdio implements Stdio {
  readonly stdin: string | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** Closing our end is what the shim takes for the end of input; CloseIO would throw away what it has not read (reference §5.2). */
  readonly inputEndsByCloseIO = false;
  readonly #servers: Server[] = [];
  readonly #outputs = new Set<Socket>();
  readonly #undialled = new Set<OutputStream>(['stdout', 'stderr']);
  readonly #waiters: (() => void)[] = [];
  #input: Promise<Socket | undefined> = Promise.resolve(undefined);
  #giveUpInput: () => void = () => undefined;

  /** Resolves when all pipes listen. */
  static async listen(options: PipeStdioOptions): Promise<PipeStdio> {
    const stdio = new PipeStdio(options);
    try {
      await stdio.#listen(options);
    } catch (error) {
      await stdio.close();
      throw error;
    }
    return stdio;
  }

  private constructor({ prefix, withStdin }: PipeStdioOptions) {
    this.stdin = withStdin ? `${prefix}-stdin` : undefined;
    this.stdout = `${prefix}-stdout`;
    this.stderr = `${prefix}-stderr`;
  }

  get ended(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
      this.#tellEnded();
    });
  }

  async write(bytes: Uint8Array): Promise<boolean> {
    const socket = await this.#input;
    if (socket === undefined || socket.destroyed) return false;
    if (socket.write(bytes)) return true;
    await eventOrClose(socket, 'drain');
    return !socket.destroyed;
  }

  async endInput(): Promise<void> {
    const socket = await this.#input;
    if (socket === undefined || socket.destroyed) return;
    const finished = eventOrClose(socket, 'finish');
    socket.end();
    await finished;
    socket.destroy();
  }

  async close(): Promise<void> {
    this.#giveUpInput();
    this.#undialled.clear();
    this.#tellEnded();
    (await this.#input)?.destroy();
    for (const socket of this.#outputs) socket.destroy();
    await Promise.all(this.#servers.splice(0).map(closeServer));
  }

  async #listen({ onOutput }: PipeStdioOptions): Promise<void> {
    const output = (stream: OutputStream, path: string): Promise<void> =>
      this.#serve(path, (socket) => {
        this.#outputs.add(socket);
        this.#undialled.delete(stream);
        socket.on('data', (bytes: Buffer) => onOutput(stream, bytes));
        socket.on('close', () => this.#outputClosed(socket));
      });
    const opened = [output('stdout', this.stdout), output('stderr', this.stderr)];
    if (this.stdin !== undefined) opened.push(this.#listenInput(this.stdin));
    // All of them settle before anything is undone.
    const failed = (await Promise.allSettled(opened)).find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
  }

  /** The shim dials standard input once, and not again. */
  #listenInput(path: string): Promise<void> {
    let isTaken = false;
    let resolveInput: (socket: Socket | undefined) => void = () => undefined;
    this.#input = new Promise((resolve) => (resolveInput = resolve));
    const take = (socket: Socket | undefined): void => {
      isTaken = true;
      resolveInput(socket);
    };
    this.#giveUpInput = () => take(undefined);
    return this.#serve(path, (socket) => {
      if (isTaken) {
        // Open, it would keep the pipe from being closed.
        socket.destroy();
        return;
      }
      // A pipe that nobody reads is not closed in time by libuv (reference §5.1).
      socket.resume();
      take(socket);
    });
  }

  #outputClosed(socket: Socket): void {
    this.#outputs.delete(socket);
    this.#tellEnded();
  }

  #tellEnded(): void {
    if (this.#outputs.size > 0 || this.#undialled.size > 0) return;
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  #serve(path: string, onConnection: (socket: Socket) => void): Promise<void> {
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      onConnection(socket);
    });
    this.#servers.push(server);
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, () => resolve());
    });
  }
}

function eventOrClose(socket: Socket, event: 'drain' | 'finish'): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off(event, done);
      socket.off('close', done);
      resolve();
    };
    socket.on(event, done);
    socket.on('close', done);
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    // A server that never listened answers with an error, which is as well.
    server.close(() => resolve());
  });
}
