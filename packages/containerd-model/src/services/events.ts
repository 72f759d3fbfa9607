import { eventsProto } from '@loam/containerd/proto';

import type { PublishedEvent } from '../event-bus.ts';
import { parseFilters } from '../filters.ts';
import type { Router } from '../router.ts';
import type { ModelState } from '../state.ts';

/** Events of all namespaces, from the subscription on (reference §1.12). */
export function serveEvents(router: Router, state: ModelState): void {
  router.stream(eventsProto.Events.method.subscribe, async function* ({ filters }, call) {
    const matches = parseFilters(filters);
    const waiting: PublishedEvent[] = [];
    let wake: (() => void) | undefined;
    const stop = state.events.listen((event) => {
      const { topic, namespace } = event;
      if (matches({ fields: { topic, namespace }, labels: {} })) waiting.push(event);
      wake?.();
    });
    const ended = new Promise<void>((resolve) => {
      if (call.signal.aborted) resolve();
      call.signal.addEventListener('abort', () => resolve());
    });
    try {
      while (!call.signal.aborted) {
        for (let event = waiting.shift(); event; event = waiting.shift()) yield event;
        await Promise.race([ended, new Promise<void>((resolve) => (wake = resolve))]);
      }
    } finally {
      stop();
    }
  });
}
