import type { Clock } from '@loam/base';

import type { ReportedStatus } from './service-status.ts';

const checkpointEveryMs = 1_000;
/** The service manager gives a start or stop up when a report is late by more than this. */
const waitHintMs = 10_000;

/** Tells the service manager how the service is; while it starts or stops, again and again, so that it is not given up. */
export class ServiceReporter {
  readonly #report: (status: ReportedStatus) => void;
  readonly #clock: Clock;
  #last: ReportedStatus = { state: 'startPending' };
  #cancel: () => void = () => undefined;

  constructor(report: (status: ReportedStatus) => void, clock: Clock) {
    this.#report = report;
    this.#clock = clock;
  }

  starting(): void {
    this.#pending('startPending', 1);
  }

  running(): void {
    if (this.#last.state === 'startPending') this.#say({ state: 'running' });
  }

  stopping(): void {
    if (this.#last.state === 'startPending' || this.#last.state === 'running') this.#pending('stopPending', 1);
  }

  /** The last report. An exit code other than 0 is a failure, after which Windows starts the service again. */
  stopped(exitCode: number): void {
    this.#say({ state: 'stopped', exitCode });
  }

  /** The same as last time: somebody asked. */
  again(): void {
    this.#report(this.#last);
  }

  #pending(state: 'startPending' | 'stopPending', checkpoint: number): void {
    this.#say({ state, checkpoint, waitHintMs });
    this.#cancel = this.#clock.after(checkpointEveryMs, () => this.#pending(state, checkpoint + 1));
  }

  #say(status: ReportedStatus): void {
    this.#cancel();
    this.#last = status;
    this.#report(status);
  }
}
