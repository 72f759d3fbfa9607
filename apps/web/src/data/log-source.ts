import { useEffect, useState } from 'react';

import { LogStore } from '../log/log-store.ts';
import { api } from './api.ts';
import type { LiveSocket } from './live-socket.ts';
import { useLiveSocket } from './live.tsx';

const rangeBytes = 4 * 1024 * 1024;
const keptStores = 6;
const stores = new Map<string, LogStore>();

/** The store of a log; the last few stay, so that going back and forth between steps loads nothing twice. */
function storeOf(logId: string): LogStore {
  const store = stores.get(logId) ?? new LogStore();
  stores.delete(logId);
  stores.set(logId, store);
  for (const old of stores.keys()) {
    if (stores.size <= keptStores) break;
    stores.delete(old);
  }
  return store;
}

/** Fetches what the farm already has in large ranges, then follows over the websocket from exactly there. */
async function load(logId: string, store: LogStore, live: LiveSocket, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && !store.complete) {
    const from = store.size;
    const response = await api.raw(`/logs/${encodeURIComponent(logId)}`, {
      query: { from, to: from + rangeBytes },
      signal,
    });
    const bytes = new Uint8Array(await response.arrayBuffer());
    store.append(from, bytes);
    const size = Number(response.headers.get('loam-log-size'));
    if (response.headers.get('loam-log-ended') === 'true' && store.size === size) store.finish();
    if (bytes.length < rangeBytes) break;
  }
  if (signal.aborted || store.complete) return;
  const stop = live.watchLog(logId, {
    offset: () => store.size,
    bytes: (offset, data) => store.append(offset, data),
    end: () => store.finish(),
  });
  signal.addEventListener('abort', stop, { once: true });
}

/** The log of a step run, loading and then live while mounted. */
export function useLog(logId: string): { store: LogStore; error: unknown } {
  const live = useLiveSocket();
  const [failure, setFailure] = useState<{ logId: string; error: unknown } | null>(null);
  const store = storeOf(logId);
  useEffect(() => {
    const abort = new AbortController();
    load(logId, store, live, abort.signal).catch((error: unknown) => {
      if (!abort.signal.aborted) setFailure({ logId, error });
    });
    return () => abort.abort();
  }, [logId, store, live]);
  return { store, error: failure?.logId === logId ? failure.error : null };
}
