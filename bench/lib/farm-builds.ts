import type { Farm } from '../../tools/farm/farm.ts';

/** Builds as a program on the farm's API makes them. */
export interface FarmBuilds {
  /** Submits, and resolves when the live socket tells that the build has succeeded. */
  build(spec: string, context?: string): Promise<void>;
  close(): void;
}

interface Frame {
  readonly type: string;
  readonly build?: { readonly id: string; readonly state: string; readonly error: unknown };
}

/** Opens the live socket, which stays open between builds as a browser's does. */
export async function farmBuilds(farm: Farm): Promise<FarmBuilds> {
  const live = new URL('/api/v1/live', farm.url.replace(/^http/, 'ws'));
  const socket = new WebSocket(live, { headers: { authorization: `Bearer ${farm.token}` } } as unknown as string[]);
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve);
    socket.addEventListener('error', () => reject(new Error('the live socket did not open')));
  });
  return {
    async build(spec, context) {
      const submitted = await farm.client.submit({ spec, ...(context === undefined ? {} : { context }) });
      await new Promise<void>((resolve, reject) => {
        const listen = ({ data }: { data: unknown }): void => {
          const { type, build } = JSON.parse(String(data)) as Frame;
          if (type !== 'build' || build?.id !== submitted.id) return;
          if (!['succeeded', 'failed', 'cancelled'].includes(build.state)) return;
          socket.removeEventListener('message', listen);
          if (build.state === 'succeeded') resolve();
          else reject(new Error(JSON.stringify(build.error)));
        };
        socket.addEventListener('message', listen);
        socket.send(JSON.stringify({ type: 'watch-build', buildId: submitted.id }));
      });
    },
    close: () => socket.close(),
  };
}
