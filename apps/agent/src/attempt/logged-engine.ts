import type { LoamError } from '@loam/base';
import type { Engine } from '@loam/engine';

import type { Log } from '../log.ts';

/**
 * The same engine, which writes a line about each step that it has built (what its time went into, the commit apart), and the
 * whole of an error that is not the build's own doing: users see only its public words.
 */
export function loggedEngine(engine: Engine, log: Log): Engine {
  return {
    ...engine,
    build: async (request, onEvent, signal) => {
      const outcome = await engine.build(
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
      );
      if (outcome.kind === 'failed' && isOfHost(outcome.error)) {
        const { error, position } = outcome;
        log.warn({ owner: request.owner, position, err: error }, 'build failed on this host');
      }
      return outcome;
    },
  };
}

function isOfHost({ code, status }: LoamError): boolean {
  return status >= 500 || code.startsWith('containerd.');
}
