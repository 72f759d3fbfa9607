import type { Engine } from '@loam/engine';

import type { Log } from '../log.ts';

/** The same engine, which writes a line about each step that it has built: what its time went into, the commit apart. */
export function loggedEngine(engine: Engine, log: Log): Engine {
  return {
    ...engine,
    build: (request, onEvent, signal) =>
      engine.build(
        request,
        (event) => {
          if (event.type === 'step-ended' && event.outcome === 'built') {
            const { position, stepId, durationMs, sizeBytes, phases = [] } = event;
            const phasesMs = Object.fromEntries(phases.map((each) => [each.phase, Math.round(each.durationMs)]));
            log.info(
              { owner: request.owner, position, stepId, durationMs: Math.round(durationMs), phasesMs, sizeBytes },
              'step built',
            );
          }
          onEvent(event);
        },
        signal,
      ),
  };
}
