import type { RunExit, Snapshot, Store } from '@loam/backend';
import { cancelled, isLoamError, toLoamError, type LoamError, type StepId } from '@loam/base';

import type { StepPhase } from './events.ts';
import type { LogChunk, LogSpool, SpoolWriter } from './log-spool.ts';

export interface PhaseReport {
  readonly phase: StepPhase;
  readonly currentBytes?: number;
  readonly totalBytes?: number;
}

/** What an execution tells those who wait for it. */
export interface Follower {
  readonly onLog: (chunk: LogChunk) => void;
  readonly onPhase: (report: PhaseReport) => void;
}

/** A step that did not succeed, told by its inputs alone: each build adds at which position it met it. */
export class ExecutionFailure extends Error {
  readonly at: (position: string) => LoamError;
  readonly exit: RunExit | undefined;

  constructor(at: (position: string) => LoamError, exit?: RunExit) {
    super('step failed');
    this.at = at;
    this.exit = exit;
  }
}

export type ExecutionResult =
  | { readonly kind: 'done'; readonly snapshot: Snapshot; readonly sizeBytes: number; readonly exit?: RunExit }
  | { readonly kind: 'failed'; readonly failure: ExecutionFailure }
  | { readonly kind: 'cancelled' };

/** What the code of a step has while it runs. */
export interface ExecutionHandle {
  /** Aborts when nobody waits for the step any more. */
  readonly signal: AbortSignal;
  readonly log: SpoolWriter['append'];
  /** Nothing more comes. Resolves when the log is safe: only then the step may be committed, or its log might be lost. */
  readonly endLog: () => Promise<void>;
  readonly phase: (report: PhaseReport) => void;
}
export type StepCode = (handle: ExecutionHandle) => Promise<{ snapshot: Snapshot; sizeBytes: number; exit?: RunExit }>;

export interface Followed {
  readonly result: ExecutionResult | { readonly kind: 'hit'; readonly snapshot: Snapshot };
  /** Somebody else had started it. */
  readonly shared: boolean;
  readonly logBytes: number;
}

/**
 * The steps that this engine is executing. One execution per step id at a time; whoever asks for one that is under way
 * follows it, with its log from byte 0. It is cancelled when its last follower leaves, and only its end frees its id.
 */
export class Executions {
  readonly #store: Store;
  readonly #logs: LogSpool;
  readonly #running = new Map<StepId, Execution>();
  /** Ids committed in this engine's life: who saw a miss before that must look again. */
  readonly #committed = new Set<StepId>();

  constructor(store: Store, logs: LogSpool) {
    this.#store = store;
    this.#logs = logs;
  }

  has(id: StepId): boolean {
    return this.#running.has(id);
  }

  forget(id: StepId): void {
    this.#committed.delete(id);
  }

  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all([...this.#running.values()].map((execution) => execution.result));
  }

  /**
   * Executes `code` for a step, or follows the execution that is under way. When `signal` aborts the caller leaves at once,
   * except that the last one to leave waits until nothing runs any more.
   */
  async follow(id: StepId, code: StepCode, follower: Follower, signal: AbortSignal): Promise<Followed> {
    for (;;) {
      if (signal.aborted) return { result: { kind: 'cancelled' }, shared: false, logBytes: 0 };
      const existing = this.#running.get(id);
      if (existing) {
        if (!existing.abandoned) return { ...(await existing.follow(follower, signal)), shared: true };
        // It is being cancelled: its end must come before a new beginning.
        await existing.result;
        continue;
      }
      if (this.#committed.has(id)) {
        const snapshot = await this.#store.stat(id as string as Snapshot['name']);
        if (snapshot) return { result: { kind: 'hit', snapshot }, shared: false, logBytes: 0 };
        this.#committed.delete(id);
        continue;
      }
      const execution = new Execution(this.#logs.create(id));
      this.#running.set(id, execution);
      execution.start(code, (result) => {
        if (result.kind === 'done') this.#committed.add(id);
        this.#running.delete(id);
      });
      return { ...(await execution.follow(follower, signal)), shared: false };
    }
  }
}

interface Seat {
  readonly follower: Follower;
  next: number;
  live: boolean;
  gone: boolean;
}

class Execution {
  readonly #log: SpoolWriter;
  readonly #abort = new AbortController();
  readonly #seats = new Set<Seat>();
  #length = 0;
  #phase: PhaseReport | undefined;
  #logEnd: Promise<void> | undefined;
  #result: Promise<ExecutionResult> | undefined;

  constructor(log: SpoolWriter) {
    this.#log = log;
  }

  /** Nobody waits for it any more. */
  get abandoned(): boolean {
    return this.#abort.signal.aborted;
  }

  get result(): Promise<ExecutionResult> {
    if (!this.#result) throw new Error('not started');
    return this.#result;
  }

  start(code: StepCode, onEnd: (result: ExecutionResult) => void): void {
    const run = async (): Promise<ExecutionResult> => {
      // Let the first follower take its seat, so that it misses nothing.
      await Promise.resolve();
      const result = await this.#run(code);
      onEnd(result);
      return result;
    };
    this.#result = run();
  }

  async #run(code: StepCode): Promise<ExecutionResult> {
    const handle: ExecutionHandle = {
      signal: this.#abort.signal,
      log: (stream, bytes) => this.#append(stream, bytes),
      endLog: () => this.#endLog(),
      phase: (report) => {
        this.#phase = report;
        for (const seat of this.#seats) seat.follower.onPhase(report);
      },
    };
    let result: ExecutionResult;
    try {
      result = { kind: 'done', ...(await code(handle)) };
    } catch (error) {
      if (isLoamError(error, 'general.cancelled') && this.abandoned) result = { kind: 'cancelled' };
      else if (error instanceof ExecutionFailure) result = { kind: 'failed', failure: error };
      else result = { kind: 'failed', failure: new ExecutionFailure(() => toLoamError(error)) };
    }
    try {
      await this.#endLog();
      return result;
    } catch (error) {
      // A step whose log is lost must not pass for one that succeeded with a short log.
      return { kind: 'failed', failure: new ExecutionFailure(() => toLoamError(error)) };
    }
  }

  #endLog(): Promise<void> {
    this.#logEnd ??= this.#log.end();
    return this.#logEnd;
  }

  #append(stream: LogChunk['stream'], bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const chunk = { stream, offset: this.#length, bytes };
    this.#log.append(stream, bytes);
    this.#length += bytes.length;
    for (const seat of this.#seats) {
      if (!seat.live) continue;
      seat.next = this.#length;
      seat.follower.onLog(chunk);
    }
  }

  async follow(follower: Follower, signal: AbortSignal): Promise<{ result: ExecutionResult; logBytes: number }> {
    const seat: Seat = { follower, next: 0, live: this.#length === 0, gone: false };
    this.#seats.add(seat);
    if (this.#phase) follower.onPhase(this.#phase);
    const replay = this.#replay(seat);
    // Its failure shows where it is awaited.
    replay.catch(() => undefined);
    const left = onAbort(signal);
    try {
      const result = await Promise.race([this.result, left.promise]);
      if (result === 'aborted') return { result: await this.#leave(seat), logBytes: seat.next };
      const replayed = await Promise.race([replay, left.promise]);
      if (replayed === 'aborted') return { result: await this.#leave(seat), logBytes: seat.next };
      return { result, logBytes: seat.next };
    } finally {
      left.dispose();
      seat.gone = true;
      this.#seats.delete(seat);
    }
  }

  /** Brings a late follower up to the present; from there on it hears everything as it comes. */
  async #replay(seat: Seat): Promise<void> {
    while (!seat.live && !seat.gone) {
      if (seat.next >= this.#length) {
        seat.live = true;
        break;
      }
      const before = seat.next;
      for await (const chunk of this.#log.read(seat.next)) {
        if (seat.gone) return;
        seat.next = chunk.offset + chunk.bytes.length;
        seat.follower.onLog(chunk);
      }
      if (seat.next === before) throw new Error(`the log spool lost what came after byte ${before}`);
    }
  }

  async #leave(seat: Seat): Promise<ExecutionResult> {
    seat.gone = true;
    this.#seats.delete(seat);
    if (this.#seats.size > 0) return { kind: 'cancelled' };
    this.#abort.abort(cancelled());
    const result = await this.result;
    // What could not be stopped is a fact that must not hide behind a cancellation.
    return result.kind === 'failed' && result.failure.at('').code === 'backend.will-not-die'
      ? result
      : { kind: 'cancelled' };
  }
}

function onAbort(signal: AbortSignal): { promise: Promise<'aborted'>; dispose: () => void } {
  let listener: (() => void) | undefined;
  const promise = new Promise<'aborted'>((resolve) => {
    listener = () => resolve('aborted');
    if (signal.aborted) listener();
    signal.addEventListener('abort', listener);
  });
  return { promise, dispose: () => listener && signal.removeEventListener('abort', listener) };
}
