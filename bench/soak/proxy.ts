import { connect, createServer, type Socket } from 'node:net';

/** The way of an agent to the farm, which can be cut. */
export interface Proxy {
  readonly url: string;
  /** Resets all connections; new ones pass. */
  cut(): void;
  /** Lets nothing pass, silently, as a network does whose cable was pulled; connections stay. */
  setSilent(isSilent: boolean): void;
  /** Refuses new connections and resets those that are there. */
  setRefusing(isRefusing: boolean): void;
  close(): Promise<void>;
}

/** A TCP proxy on the loopback in front of `host:port`. */
export async function startProxy(target: { readonly host: string; readonly port: number }): Promise<Proxy> {
  const pairs = new Set<readonly [Socket, Socket]>();
  let isSilent = false;
  let isRefusing = false;
  const server = createServer((near) => {
    if (isRefusing) {
      near.resetAndDestroy();
      return;
    }
    const far = connect(target.port, target.host);
    const pair = [near, far] as const;
    pairs.add(pair);
    const end = (): void => {
      pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    for (const socket of pair) {
      socket.on('error', end);
      socket.on('close', end);
      if (isSilent) socket.pause();
    }
    pipe(near, far);
    pipe(far, near);
  });
  const cut = (): void => {
    for (const [near, far] of pairs) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    cut,
    setSilent(value) {
      isSilent = value;
      for (const socket of [...pairs].flat()) {
        if (value) socket.pause();
        else socket.resume();
      }
    },
    setRefusing(value) {
      isRefusing = value;
      if (value) cut();
    },
    close: () =>
      new Promise((resolve) => {
        cut();
        server.close(() => resolve());
      }),
  };

  function pipe(from: Socket, to: Socket): void {
    from.on('data', (chunk: Buffer) => {
      if (to.write(chunk)) return;
      from.pause();
      to.once('drain', () => {
        if (!isSilent) from.resume();
      });
    });
    from.on('end', () => to.end());
  }
}
