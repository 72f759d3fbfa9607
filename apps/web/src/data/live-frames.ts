import type { LiveFrame } from '@loam/contracts';
import type { Query, QueryClient, QueryKey } from '@tanstack/react-query';

import { applyFrame } from './live-cache.ts';

/**
 * Writes frames into the query cache, and once more into what is just being fetched when its answer is here: the answer may have
 * been read before the change, and would take it back. A frame that is older than the answer does no harm, since what changed
 * after it has a frame of its own.
 */
export class LiveFrames {
  readonly #client: QueryClient;
  /** Frames that came during a fetch, by the hash of its key; of each thing only the last one. */
  readonly #late = new Map<string, Map<string, LiveFrame>>();

  constructor(client: QueryClient) {
    this.#client = client;
  }

  /** Begins to look out for answers; gives what ends that. */
  start(): () => void {
    return this.#client.getQueryCache().subscribe((event) => {
      if (event.type === 'removed') this.#late.delete(event.query.queryHash);
      if (event.type !== 'updated') return;
      const { action, query } = event;
      if (action.type === 'error') this.#late.delete(query.queryHash);
      if (action.type === 'success' && action.manual !== true) this.#landed(query);
    });
  }

  apply(frame: LiveFrame): void {
    const queryKey = prefixOf(frame);
    if (queryKey === undefined) return;
    applyFrame(this.#client, frame);
    for (const query of this.#client.getQueryCache().findAll({ queryKey, fetchStatus: 'fetching' })) {
      const frames = this.#late.get(query.queryHash) ?? new Map<string, LiveFrame>();
      if (frame.type === 'build') frames.clear();
      frames.delete(thingOf(frame));
      this.#late.set(query.queryHash, frames.set(thingOf(frame), frame));
    }
  }

  #landed({ queryHash }: Query): void {
    const frames = this.#late.get(queryHash);
    this.#late.delete(queryHash);
    for (const frame of frames?.values() ?? []) applyFrame(this.#client, frame);
  }
}

/** The keys of the queries that a frame changes begin with it. */
function prefixOf(frame: LiveFrame): QueryKey | undefined {
  switch (frame.type) {
    case 'build':
      return ['build', frame.build.id];
    case 'step':
      return ['build', frame.buildId];
    case 'build-summary':
      return ['builds'];
    case 'agent':
      return ['agents'];
    case 'log':
    case 'log-end':
    case 'error':
      return undefined;
  }
}

function thingOf(frame: LiveFrame): string {
  switch (frame.type) {
    case 'step':
      return `step ${frame.step.position}`;
    case 'build-summary':
      return frame.build.id;
    case 'agent':
      return frame.agent.id;
    default:
      return frame.type;
  }
}
