import type { Build, LiveFrame, LiveRequest, Step } from '@loam/contracts';

/** What there is to tell of a build, in an order that makes sense to a reader: a step's end comes after the end of its log. */
export type FollowEvent =
  | { readonly type: 'build'; readonly build: Build }
  | { readonly type: 'step'; readonly step: Step }
  /** A running step got further: its phase or its bytes. */
  | { readonly type: 'progress'; readonly step: Step }
  | { readonly type: 'log'; readonly step: Step; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly type: 'log-end'; readonly step: Step };

interface LogState {
  step: Step;
  /** Bytes told so far: where to go on after the connection was lost. */
  offset: number;
  ended: boolean;
  /** What is told once the log has ended. */
  held: Step | undefined;
}

const finalStates: ReadonlySet<string> = new Set(['succeeded', 'failed', 'cancelled']);

/** Whether nothing happens to the build any more. */
export function hasEnded(build: Pick<Build, 'state'>): boolean {
  return finalStates.has(build.state);
}

/**
 * Turns the frames of the live socket into events, without losing or doubling a byte of a log however often the connection
 * breaks. Pure: requests to send go to `send`, events to `tell`.
 */
export class BuildFollower {
  readonly #buildId: string;
  readonly #send: (request: LiveRequest) => void;
  readonly #tell: (event: FollowEvent) => void;
  readonly #logs = new Map<string, LogState>();
  /** What was told of each step, by its position. */
  readonly #told = new Map<string, string>();
  readonly #progress = new Map<string, string>();
  #build: Build | undefined;

  constructor(buildId: string, send: (request: LiveRequest) => void, tell: (event: FollowEvent) => void) {
    this.#buildId = buildId;
    this.#send = send;
    this.#tell = tell;
  }

  get build(): Build | undefined {
    return this.#build;
  }

  /** Logs that have not been told to their end, and where they stand. */
  openLogs(): { logId: string; offset: number }[] {
    return [...this.#logs].filter(([, log]) => !log.ended).map(([logId, log]) => ({ logId, offset: log.offset }));
  }

  /** The build has ended and everything has been told. */
  get finished(): boolean {
    return this.#build !== undefined && hasEnded(this.#build) && this.openLogs().length === 0;
  }

  /** A connection is there, the first or another one: asks for what is still missing. */
  connected(): void {
    this.#send({ type: 'watch-build', buildId: this.#buildId });
    for (const { logId, offset } of this.openLogs()) this.#send({ type: 'watch-log', logId, from: offset });
  }

  receive(frame: LiveFrame): void {
    switch (frame.type) {
      case 'build':
        if (frame.build.id !== this.#buildId) return;
        this.#build = frame.build;
        this.#tell({ type: 'build', build: frame.build });
        for (const step of frame.build.stepRuns) this.#step(step);
        return;
      case 'step':
        if (frame.buildId === this.#buildId) this.#step(frame.step);
        return;
      case 'log':
        this.log(frame.logId, frame.offset, Buffer.from(frame.data, 'base64'));
        return;
      case 'log-end':
        this.#logEnd(frame.logId, frame.size);
        return;
      case 'error':
        // A log that the farm does not have must not keep the build from ending here.
        if (this.#logs.has(frame.about)) this.endLog(frame.about);
        return;
      default:
    }
  }

  /** Bytes of a log, from the socket or from elsewhere. */
  log(logId: string, offset: number, bytes: Uint8Array): void {
    const log = this.#logs.get(logId);
    if (!log || log.ended) return;
    if (offset > log.offset) {
      // Something in between did not come: ask again from where we stand.
      this.#send({ type: 'watch-log', logId, from: log.offset });
      return;
    }
    const fresh = bytes.subarray(log.offset - offset);
    if (fresh.length === 0) return;
    this.#tell({ type: 'log', step: log.step, offset: log.offset, bytes: fresh });
    log.offset += fresh.length;
  }

  /** No more of this log will come. */
  endLog(logId: string): void {
    const log = this.#logs.get(logId);
    if (!log || log.ended) return;
    log.ended = true;
    this.#tell({ type: 'log-end', step: log.step });
    if (log.held) this.#tell({ type: 'step', step: log.held });
    log.held = undefined;
  }

  #logEnd(logId: string, size: number): void {
    const log = this.#logs.get(logId);
    if (!log || log.ended) return;
    if (size > log.offset) this.#send({ type: 'watch-log', logId, from: log.offset });
    else this.endLog(logId);
  }

  #step(step: Step): void {
    // What happened in an earlier attempt is told of that attempt's step run.
    const key = `${step.position} ${step.id ?? ''} ${step.state}`;
    const isNews = this.#told.get(step.position) !== key;
    const log = this.#watch(step);
    if (log) log.step = step;
    const progress = `${step.phase} ${step.currentBytes}`;
    const hasMoved = this.#progress.get(step.position) !== progress;
    this.#progress.set(step.position, progress);
    if (!isNews) {
      if (hasMoved && step.state === 'running') this.#tell({ type: 'progress', step });
      return;
    }
    this.#told.set(step.position, key);
    if (log && !log.ended && step.state !== 'running') log.held = step;
    else this.#tell({ type: 'step', step });
  }

  /** Follows the log of a step that runs or ran for this build. A hit's log is an old story. */
  #watch(step: Step): LogState | undefined {
    if (step.logId === null || step.state === 'hit' || step.state === 'pending') return undefined;
    const known = this.#logs.get(step.logId);
    if (known) return known;
    const log: LogState = { step, offset: 0, ended: false, held: undefined };
    this.#logs.set(step.logId, log);
    this.#send({ type: 'watch-log', logId: step.logId, from: 0 });
    return log;
  }
}
