import {
  connect,
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type OutgoingHttpHeaders,
} from 'node:http2';
import net from 'node:net';

const streamWindowBytes = 4 * 1024 * 1024;
const connectionWindowBytes = 16 * 1024 * 1024;

/**
 * The one HTTP/2 session to a daemon. It is opened by the first request and anew by the first one after it broke, so a
 * restart of the daemon needs nothing from the callers.
 */
export class Channel {
  readonly #path: string;
  #session: ClientHttp2Session | undefined;
  #closed = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** Opens a stream. A daemon that is not there shows as an error of the stream, not as an exception. */
  request(headers: OutgoingHttpHeaders): ClientHttp2Stream {
    if (this.#closed) throw new Error('the client is closed');
    if (this.#session === undefined || this.#session.closed || this.#session.destroyed) this.#session = this.#open();
    return this.#session.request(headers, { endStream: false });
  }

  /** Ends the session; streams that are open fail. */
  close(): void {
    this.#closed = true;
    this.#session?.destroy(undefined, constants.NGHTTP2_CANCEL);
    this.#session = undefined;
  }

  #open(): ClientHttp2Session {
    const session = connect('http://localhost', {
      createConnection: () => net.connect({ path: this.#path }),
      settings: { enablePush: false, initialWindowSize: streamWindowBytes },
    });
    const forget = (): void => {
      if (this.#session === session) this.#session = undefined;
    };
    session.once('connect', () => session.setLocalWindowSize(connectionWindowBytes));
    session.once('goaway', forget);
    session.once('close', forget);
    // Every stream of the session reports the same failure; unheard, this event would end the process.
    session.on('error', forget);
    return session;
  }
}
