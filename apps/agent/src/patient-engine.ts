import { sleep, type Clock, type LoamError } from '@loam/base';
import type { BuildEvent, BuildOutcome, BuildRequest, Engine } from '@loam/engine';

export interface PatientEngineOptions {
  /** Resolves when containerd runs, or could not be started. */
  readonly ready: () => Promise<void>;
  readonly clock: Clock;
  /** A round was lost, and the build is built once more. */
  readonly onLost: (round: BuildRound, error: LoamError) => void;
}

interface BuildRound {
  readonly owner: string;
  readonly round: number;
}

const roundsMax = 5;
const pauseMs = 1_000;

/**
 * The same engine, on a containerd that may have to be started again first, also in the middle of a build: what could not be
 * saved then is built once more, on all that has been committed, in what is left of the time of the build.
 */
export function patientEngine(engine: Engine, { ready, clock, onLost }: PatientEngineOptions): Engine {
  async function build(
    request: BuildRequest,
    onEvent: (event: BuildEvent) => void,
    signal: AbortSignal,
  ): Promise<BuildOutcome> {
    const beganMs = clock.monotonic();
    for (let round = 1; ; round++) {
      await orAborted(ready(), signal);
      const rest = { ...request, spentMs: clock.monotonic() - beganMs };
      const isLast = round === roundsMax;
      const outcome = await engine.build(rest, isLast ? onEvent : (event) => onEvent(interrupted(event)), signal);
      const wasAway = outcome.kind === 'failed' && outcome.error.code === 'containerd.unavailable';
      if (isLast || !wasAway) return outcome;
      onLost({ owner: request.owner, round }, outcome.error);
      await sleep(clock, pauseMs, signal).catch(() => undefined);
      if (signal.aborted) return { kind: 'cancelled' };
    }
  }
  return { ...engine, plan: (spec, options) => ready().then(() => engine.plan(spec, options)), build };
}

/** Resolves when the work is done, or nobody waits for it any more. */
async function orAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<void>();
  if (signal.aborted) aborted.resolve();
  const onAbort = (): void => aborted.resolve();
  signal.addEventListener('abort', onAbort);
  await Promise.race([work, aborted.promise]).finally(() => signal.removeEventListener('abort', onAbort));
}

/** A step that is begun again has not failed. */
function interrupted(event: BuildEvent): BuildEvent {
  if (event.type !== 'step-ended' || event.error?.code !== 'containerd.unavailable') return event;
  const { error: _, ...rest } = event;
  return { ...rest, outcome: 'cancelled' };
}
