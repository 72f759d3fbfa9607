import { Relay as BullRelay } from 'bullmq';

import type { Clock } from '@loam/base';

import type { QueueBackend } from './backend.ts';
import type { Complaints } from './complaints.ts';
import type { QueueLogger } from './logger.ts';

export type Listener = (data: unknown, topic: string) => void;

/**
 * Messages for viewers, between the processes of the control plane. They are hints and may be lost (a process that was cut
 * off misses some): whoever must not miss a change reads Postgres again when it subscribes and when `onGap` calls.
 */
export interface Relay {
  /** Sends JSON to whoever listens on the topic: in this process at once, in others some milliseconds later, in order. */
  publish(topic: string, data: unknown): void;
  /** Listens on one topic. The returned function ends it. */
  subscribe(topic: string, listener: Listener): () => void;
  /** Calls back when messages of other processes may have been missed. */
  onGap(callback: () => void): void;
  /** Sends what is still to be sent and leaves. */
  close(): Promise<void>;
}

interface Batch {
  readonly from: string;
  readonly items: readonly (readonly [topic: string, data: unknown])[];
}

/** One topic of BullMQ's relay carries all of ours: each process hears everything and sorts it itself. */
const channel = 'live';
/** What is published within this time travels together: reading a message costs four round trips, whatever its size. */
const gatherMs = 5;
const batchBytesMax = 256 * 1024;

export async function openRelay(
  backend: QueueBackend,
  { clock, logger, complaints }: { clock: Clock; logger: QueueLogger; complaints: Complaints },
): Promise<Relay> {
  backend.reserveListener();
  const relay = new BullRelay({
    connection: backend.connection as never,
    backend: backend.relayFactory as never,
    namespace: 'loam',
    maxMessageSize: 4 * 1024 * 1024,
  });
  relay.on('error', complaints.listener('relay between API processes'));
  await relay.waitUntilReady();

  const listeners = new Map<string, Set<Listener>>();
  let waiting: [topic: string, data: unknown][] = [];
  let sending = Promise.resolve();
  let cancelTimer: (() => void) | undefined;

  function deliver(topic: string, data: unknown): void {
    for (const listener of listeners.get(topic) ?? []) {
      try {
        listener(data, topic);
      } catch (error) {
        logger.warn({ err: error, topic }, 'a listener failed');
      }
    }
  }

  function flush(): void {
    cancelTimer = undefined;
    const items = waiting;
    waiting = [];
    sending = sending.then(async () => {
      for (const part of split(items)) {
        try {
          await relay.publish(channel, { from: relay.nodeId, items: part } satisfies Batch);
        } catch (error) {
          logger.warn({ err: error }, 'messages for other API processes were lost');
        }
      }
    });
  }

  await relay.subscribe<Batch>(channel, ({ data }) => {
    if (data.from === relay.nodeId) return;
    for (const [topic, value] of data.items) deliver(topic, value);
  });

  return {
    publish(topic, data) {
      deliver(topic, data);
      waiting.push([topic, data]);
      cancelTimer ??= clock.after(gatherMs, flush);
    },
    subscribe(topic, listener) {
      const set = listeners.get(topic) ?? new Set();
      listeners.set(topic, set.add(listener));
      return () => {
        set.delete(listener);
        if (set.size === 0 && listeners.get(topic) === set) listeners.delete(topic);
      };
    },
    onGap(callback) {
      relay.on('recovered', callback);
    },
    async close() {
      cancelTimer?.();
      if (waiting.length > 0) flush();
      await sending;
      await relay.close();
    },
  };
}

function* split(items: readonly (readonly [string, unknown])[]): Generator<(readonly [string, unknown])[]> {
  let part: (readonly [string, unknown])[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = JSON.stringify(item).length;
    if (part.length > 0 && bytes + size > batchBytesMax) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(item);
    bytes += size;
  }
  if (part.length > 0) yield part;
}
