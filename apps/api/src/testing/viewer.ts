import type { LiveFrame, LiveRequest } from '@loam/contracts';

import type { TestFarm } from './farm.ts';

export interface Viewer {
  /** What came, in order. */
  readonly frames: LiveFrame[];
  ask(request: LiveRequest): void;
  close(): void;
}

/** Opens the websocket of viewers at a farm that listens. */
export async function openViewer(farm: TestFarm): Promise<Viewer> {
  const frames: LiveFrame[] = [];
  const socket = new WebSocket(`${farm.url.replace('http', 'ws')}/api/v1/live`, {
    headers: { authorization: `Bearer ${farm.token}` },
  } as never);
  socket.addEventListener('message', (event) => frames.push(JSON.parse(String(event.data)) as LiveFrame));
  await new Promise((resolve) => socket.addEventListener('open', resolve));
  return { frames, ask: (request) => socket.send(JSON.stringify(request)), close: () => socket.close() };
}
