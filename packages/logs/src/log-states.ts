import { directoryOf, scan, type SegmentFile } from './segment-files.ts';

/** What the process knows of one log. */
export interface LogState {
  readonly directory: string;
  segments: SegmentFile[];
  size: number;
  ended: boolean;
  exists: boolean;
  /** The last write that was asked for: writes to one log happen one after the other. */
  tail: Promise<unknown>;
  /** Called when the log grew, ended or went. */
  readonly followers: Set<() => void>;
  users: number;
}

/** States of logs that nobody uses are forgotten beyond this many; they are read from disk again. */
const statesMax = 4096;

/** The logs that were used last. There is never more than one state of a log. */
export class LogStates {
  readonly #root: string;
  /** In order of last use. */
  readonly #states = new Map<string, Promise<LogState>>();

  constructor(root: string) {
    this.#root = root;
  }

  /** Calls `work` with the log's state, which is not forgotten while it runs. */
  async using<T>(logId: string, work: (log: LogState) => Promise<T>): Promise<T> {
    const log = await this.acquire(logId);
    try {
      return await work(log);
    } finally {
      this.release(log);
    }
  }

  async acquire(logId: string): Promise<LogState> {
    for (;;) {
      const loading = this.#states.get(logId) ?? load(directoryOf(this.#root, logId));
      this.#states.delete(logId);
      this.#states.set(logId, loading);
      let log: LogState;
      try {
        log = await loading;
      } catch (error) {
        if (this.#states.get(logId) === loading) this.#states.delete(logId);
        throw error;
      }
      // It may have been forgotten while we waited.
      if (this.#states.get(logId) !== loading) continue;
      log.users++;
      await this.#forget();
      return log;
    }
  }

  release(log: LogState): void {
    log.users--;
  }

  /** Runs `work` after the writes to this log that were asked for before. */
  inTurn<T>(log: LogState, work: () => Promise<T>): Promise<T> {
    const result = log.tail.then(work);
    log.tail = result.catch(() => undefined);
    return result;
  }

  /** Forgets a log that is not there any more. */
  drop(logId: string): void {
    this.#states.delete(logId);
  }

  /** Resolves when every write that was asked for has ended. */
  async settled(): Promise<void> {
    for (const loading of this.#states.values()) await (await loading.catch(() => undefined))?.tail;
  }

  /** Looks at a few of the oldest at a time, so that the cost of one call does not grow with their number. */
  async #forget(): Promise<void> {
    for (let looks = 0; looks < 4 && this.#states.size > statesMax; looks++) {
      const [oldest] = this.#states;
      if (!oldest) return;
      const [logId, loading] = oldest;
      const log = await loading.catch(() => undefined);
      if (this.#states.get(logId) !== loading) continue;
      this.#states.delete(logId);
      // In use for long, by a follower: that is as good as a recent use.
      if (log && log.users > 0) this.#states.set(logId, loading);
    }
  }
}

async function load(directory: string): Promise<LogState> {
  const found = await scan(directory);
  return { directory, ...found, tail: Promise.resolve(), followers: new Set(), users: 0 };
}
