import { toLoamError, type LoamError } from '@loam/base';

import type { StepPlace } from './events.ts';

/** A failure with the step that is to blame. Stays inside the engine. */
export class StepError extends Error {
  readonly place: StepPlace;
  readonly error: LoamError;

  constructor(place: StepPlace, error: LoamError) {
    super(error.message, { cause: error });
    this.name = 'StepError';
    this.place = place;
    this.error = error;
  }
}

/** Runs `action` so that whatever it throws is blamed on `place`, unless a step has been blamed already. */
export async function blame<T>(place: StepPlace, action: () => Promise<T> | T): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw error instanceof StepError ? error : new StepError(place, toLoamError(error));
  }
}
