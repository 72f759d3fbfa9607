import type { Relay } from '@loam/queue';

/** What processes and viewers tell each other. Hints: the truth is read again by whoever cares. */
export interface FarmEvents {
  /** A build, its attempts or its steps changed. */
  build: { readonly id: string; readonly ended?: boolean };
  /** An agent came, went or changed; or what it runs did. */
  agent: { readonly id: string; readonly pool: string };
  /** No more bytes will come for a log. */
  'log-ended': { readonly id: string };
  /** An operator decided something about an agent. */
  standing: { readonly agentId: string };
  /** Something of this pool may be dispatched now. */
  work: { readonly pool: string };
  /** Somebody wants an attempt stopped; the process that holds its agent's link tells it. */
  cancel: { readonly agentId: string; readonly attemptId: string };
  /** Something is to be removed from an agent; the process that holds its link tells it. */
  remove: { readonly agentId: string };
  /** Somebody wants a fresh report of an agent's doctor; the process that holds its link asks it. */
  doctor: { readonly agentId: string };
  /** An agent's credential was revoked. */
  revoked: { readonly agentId: string };
}

export interface Bus {
  publish<K extends keyof FarmEvents>(topic: K, event: FarmEvents[K]): void;
  subscribe<K extends keyof FarmEvents>(topic: K, listener: (event: FarmEvents[K]) => void): () => void;
  /** Calls back when hints of other processes may have been missed. */
  onGap(callback: () => void): void;
}

/** Between all processes of the farm. */
export function relayBus(relay: Relay): Bus {
  return {
    publish: (topic, event) => relay.publish(topic, event),
    subscribe: (topic, listener) => relay.subscribe(topic, (data) => listener(data as never)),
    onGap: (callback) => relay.onGap(callback),
  };
}

/** Within this process: enough where there is no other one, and free of the relay's round trips. */
export function localBus(): Bus {
  const listeners = new Map<string, Set<(event: never) => void>>();
  return {
    publish(topic, event) {
      for (const listener of listeners.get(topic) ?? []) listener(event as never);
    },
    subscribe(topic, listener) {
      const set = listeners.get(topic) ?? new Set();
      listeners.set(topic, set.add(listener));
      return () => void set.delete(listener);
    },
    onGap: () => undefined,
  };
}
