import type { Platform } from '@loam/backend';
import { toLoamError, type Clock, type IdSource, type StepId } from '@loam/base';
import type { ContextSource } from '@loam/context';
import type { Offer } from '@loam/contracts';
import type { BuildOutcome, Engine, LogChunk } from '@loam/engine';
import { outlineSpec, type Spec } from '@loam/spec';

import type { AttemptJournal } from '../journal/attempt-journal.ts';
import type { JournalRecord } from '../journal/record.ts';
import { Recorder } from './recorder.ts';

/** Where an attempt gets what its offer only names. */
export interface AttemptSources {
  /** Throws a `LoamError` when the text is no spec. */
  parse(text: string): Spec;
  context(offer: Offer, signal: AbortSignal): Promise<ContextSource>;
  /** Values never touch the disk. */
  secrets(offer: Offer, signal: AbortSignal): Promise<ReadonlyMap<string, Uint8Array>>;
}

export interface RunAttemptOptions {
  readonly engine: Engine;
  readonly sources: AttemptSources;
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly platform: Platform;
  readonly onRecord: (record: JournalRecord) => void;
  /** The log of a step that the farm has not heard of: an attempt built it that was lost, or one outside of the farm. */
  readonly untold?: (stepId: StepId) => AsyncIterable<LogChunk> | undefined;
}

/** An attempt that is being worked on. */
export interface RunningAttempt {
  /** Resolves when nothing of it runs any more. Rejects when its end could not be written down. */
  readonly ended: Promise<void>;
  /** Ends it as cancelled. */
  cancel(): void;
  /** Ends it without a word in the journal: it will be resumed, or is not ours any more. */
  abandon(): void;
}

/** Works on an attempt from its first step; after a crash what was committed then is a hit now. */
export function runAttempt(journal: AttemptJournal, options: RunAttemptOptions): RunningAttempt {
  const controller = new AbortController();
  const recorder = new Recorder(journal, { ...options, onFailure: () => controller.abort() });
  let isAbandoned = false;

  async function run(): Promise<void> {
    const outcome = await build(journal, options, recorder, controller.signal);
    if (!isAbandoned) recorder.endAttempt(outcome);
  }

  return {
    ended: run(),
    cancel: () => controller.abort(),
    abandon() {
      isAbandoned = true;
      recorder.mute();
      controller.abort();
    },
  };
}

async function build(
  journal: AttemptJournal,
  options: RunAttemptOptions,
  recorder: Recorder,
  signal: AbortSignal,
): Promise<BuildOutcome> {
  const { sources, engine } = options;
  const { offer } = journal;
  // Those are in this journal already, logs and all.
  const isHere = (id: StepId): boolean => Object.values(journal.state.finished).includes(id);
  try {
    const spec = sources.parse(offer.spec);
    recorder.endInterrupted(new Map(outlineSpec(spec).map((step) => [step.position, step.op])));
    const context = await sources.context(offer, signal);
    const secrets = offer.secretIds.length > 0 ? await sources.secrets(offer, signal) : new Map<string, Uint8Array>();
    return await engine.build(
      {
        spec,
        context,
        secrets,
        limits: offer.limits,
        refresh: offer.refresh,
        owner: offer.attemptId,
        logOfHit: (id) => (isHere(id) ? undefined : options.untold?.(id)),
        ...(offer.timeoutMs === null ? {} : { timeoutMs: offer.timeoutMs }),
      },
      (event) => recorder.onEvent(event),
      signal,
    );
  } catch (error) {
    if (signal.aborted) return { kind: 'cancelled' };
    return { kind: 'failed', error: toLoamError(error), position: '' };
  }
}
