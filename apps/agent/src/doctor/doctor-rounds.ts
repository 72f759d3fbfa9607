import type { Clock } from '@loam/base';
import type { DoctorReport } from '@loam/contracts';

import type { Log } from '../log.ts';

export interface DoctorRoundsOptions {
  readonly examine: () => Promise<DoctorReport>;
  readonly onReport: (report: DoctorReport) => void;
  readonly everyMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** The doctor of an agent that runs: looks at the start, ever so often, and when asked; never twice at the same time. */
export class DoctorRounds {
  readonly #options: DoctorRoundsOptions;
  #running = false;
  #askedAgain = false;
  #isStopped = false;
  #cancelNext: (() => void) | undefined;

  constructor(options: DoctorRoundsOptions) {
    this.#options = options;
  }

  /** Looks now. Asked in the middle of a look it looks once more afterwards: what was asked for may have been passed over. */
  request(): void {
    if (this.#isStopped) return;
    if (this.#running) {
      this.#askedAgain = true;
      return;
    }
    void this.#look();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelNext?.();
  }

  async #look(): Promise<void> {
    const { examine, onReport, everyMs, clock, log } = this.#options;
    this.#running = true;
    this.#cancelNext?.();
    try {
      const report = await examine();
      if (this.#isStopped) return;
      for (const { id, status, evidence } of report.findings) {
        if (status === 'problem') log.warn({ id, evidence }, 'the doctor found a problem');
      }
      onReport(report);
    } catch (error) {
      if (!this.#isStopped) log.warn({ err: error }, 'the doctor could not look');
    } finally {
      this.#running = false;
      const again = this.#askedAgain;
      this.#askedAgain = false;
      if (again) this.request();
      else if (!this.#isStopped) this.#cancelNext = clock.after(everyMs, () => this.request());
    }
  }
}
