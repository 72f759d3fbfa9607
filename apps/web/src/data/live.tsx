import { LoamError } from '@loam/base';
import { useQueryClient, type QueryClient } from '@tanstack/react-query';
import { createContext, useContext, useEffect, useSyncExternalStore, type ReactNode } from 'react';

import { showError } from '../components/toasts.tsx';
import { LiveFrames } from './live-frames.ts';
import { LiveSocket, type LiveStatus, type SocketLike } from './live-socket.ts';

const Live = createContext<LiveSocket | null>(null);

/** The live connection of this page: a websocket to the farm that served it. */
export function createLiveSocket(): LiveSocket {
  return new LiveSocket({
    open: () => {
      const url = new URL('/api/v1/live', location.href);
      url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
      return new WebSocket(url) as SocketLike;
    },
    later: (task, delayMs) => {
      const timer = setTimeout(task, delayMs);
      return () => clearTimeout(timer);
    },
    random: Math.random,
  });
}

/** Keeps the connection while it is mounted, and writes what arrives into the query cache. */
export function LiveProvider({ socket, children }: { socket: LiveSocket; children: ReactNode }) {
  const client = useQueryClient();
  useEffect(() => {
    const frames = new LiveFrames(client);
    const stopLanding = frames.start();
    const stopFrames = socket.onFrame((frame) => {
      frames.apply(frame);
      // A build that cannot be watched cannot be fetched either, and its page says so.
      if (frame.type === 'error' && !frame.about.startsWith('bld_')) showError(LoamError.fromPublic(frame));
    });
    const stopStatus = socket.onStatus(resyncAfterCut(socket, client));
    const nudge = () => {
      if (document.visibilityState === 'visible') socket.nudge();
    };
    window.addEventListener('online', nudge);
    document.addEventListener('visibilitychange', nudge);
    socket.start();
    return () => {
      stopFrames();
      stopLanding();
      stopStatus();
      window.removeEventListener('online', nudge);
      document.removeEventListener('visibilitychange', nudge);
      socket.stop();
    };
  }, [socket, client]);
  return <Live value={socket}>{children}</Live>;
}

/** Frames missed while the connection was down are made good by asking anew; a first connection has missed nothing. */
function resyncAfterCut(socket: LiveSocket, client: QueryClient): () => void {
  let wasDown = false;
  return () => {
    if (socket.status() === 'down') {
      wasDown = true;
      // A websocket does not tell why it was refused; if the session has ended, this call does.
      void client.invalidateQueries({ queryKey: ['me'] });
    }
    if (socket.status() !== 'open' || !wasDown) return;
    wasDown = false;
    void client.invalidateQueries();
  };
}

export function useLiveSocket(): LiveSocket {
  const socket = useContext(Live);
  if (socket === null) throw new Error('no LiveProvider above');
  return socket;
}

export function useLiveStatus(): LiveStatus {
  const socket = useLiveSocket();
  return useSyncExternalStore(socket.onStatus, socket.status);
}
