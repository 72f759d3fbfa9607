import type { SnapshotName } from '@loam/backend';
import { cancelled, type Clock, type LoamError } from '@loam/base';

import type { BuildEvent, StepEnded, StepOutcome, StepPhase, StepPlace } from './events.ts';
import type { PhaseReport } from './executions.ts';
import type { LogChunk } from './log-spool.ts';

type EndFacts = Partial<Omit<StepEnded, 'type' | 'position' | 'outcome' | 'durationMs' | 'error'>>;

/** Tells the events of one step in their order: started, then the rest, ended once. */
export class StepReporter {
  readonly place: StepPlace;
  readonly #emit: (event: BuildEvent) => void;
  readonly #clock: Clock;
  #startedAt: number | undefined;
  #ended = false;
  #facts: EndFacts = {};
  #phase: { readonly name: StepPhase; readonly sinceMs: number } | undefined;
  readonly #phases = new Map<StepPhase, number>();

  constructor(place: StepPlace, emit: (event: BuildEvent) => void, clock: Clock) {
    this.place = place;
    this.#emit = emit;
    this.#clock = clock;
  }

  start(): void {
    if (this.#startedAt !== undefined) return;
    this.#startedAt = this.#clock.monotonic();
    this.#emit({ type: 'step-started', ...this.place });
  }

  /** Facts that the end of the step will tell, however it ends. */
  know(facts: EndFacts): void {
    this.#facts = { ...this.#facts, ...facts };
  }

  progress(report: PhaseReport): void {
    if (this.#startedAt === undefined || this.#ended) return;
    if (report.phase !== this.#phase?.name) this.#enter(report.phase);
    const elapsedMs = this.#clock.monotonic() - (this.#phase?.sinceMs ?? 0);
    this.#emit({ type: 'step-progress', position: this.place.position, elapsedMs, ...report });
  }

  #enter(phase: StepPhase | undefined): void {
    const nowMs = this.#clock.monotonic();
    if (this.#phase) {
      const { name, sinceMs } = this.#phase;
      this.#phases.set(name, (this.#phases.get(name) ?? 0) + nowMs - sinceMs);
    }
    this.#phase = phase && { name: phase, sinceMs: nowMs };
  }

  log(chunk: LogChunk): void {
    this.#emit({ type: 'step-log', position: this.place.position, ...chunk });
  }

  succeeded(outcome: 'hit' | 'built' | 'shared', snapshot: SnapshotName | undefined, facts: EndFacts = {}): void {
    this.#end(outcome, { ...facts, ...(snapshot === undefined ? {} : { snapshot }) });
  }

  failed(error: LoamError, facts: EndFacts = {}): void {
    this.#end('failed', facts, error);
  }

  /** Ends the step if it has started and nobody has ended it. */
  cancelIfOpen(facts: EndFacts = {}): void {
    if (this.#startedAt !== undefined && !this.#ended) this.#end('cancelled', facts, cancelled());
  }

  #end(outcome: StepOutcome, facts: EndFacts, error?: LoamError): void {
    if (this.#ended) return;
    this.start();
    this.#ended = true;
    this.#enter(undefined);
    const phases = [...this.#phases].map(([phase, durationMs]) => ({ phase, durationMs }));
    this.#emit({
      type: 'step-ended',
      position: this.place.position,
      outcome,
      logBytes: 0,
      ...this.#facts,
      ...facts,
      ...(phases.length > 0 ? { phases } : {}),
      durationMs: this.#clock.monotonic() - (this.#startedAt ?? 0),
      ...(error ? { error: error.toPublic() } : {}),
    });
  }
}
