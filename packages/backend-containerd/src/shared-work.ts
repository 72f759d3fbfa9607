import { cancelled } from '@loam/base';

interface Work<T, P> {
  readonly result: Promise<T>;
  readonly abort: AbortController;
  readonly listeners: Set<(progress: P) => void>;
  last: P | undefined;
  users: number;
}

/**
 * Work that several callers want at the same time and that is done once for all of them. A caller that goes away leaves the
 * others alone; when the last one has gone, the work is aborted.
 */
export class SharedWork<T, P> {
  readonly #running = new Map<string, Work<T, P>>();

  async run(
    key: string,
    signal: AbortSignal | undefined,
    onProgress: ((progress: P) => void) | undefined,
    start: (signal: AbortSignal, report: (progress: P) => void) => Promise<T>,
  ): Promise<T> {
    if (signal?.aborted) throw cancelled();
    const work = this.#running.get(key) ?? this.#begin(key, start);
    work.users++;
    if (onProgress !== undefined) {
      work.listeners.add(onProgress);
      if (work.last !== undefined) onProgress(work.last);
    }
    let onAbort: (() => void) | undefined;
    const gone = new Promise<never>((_, reject) => {
      onAbort = () => reject(cancelled());
      signal?.addEventListener('abort', onAbort, { once: true });
    });
    try {
      return await Promise.race([work.result, gone]);
    } finally {
      if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort);
      if (onProgress !== undefined) work.listeners.delete(onProgress);
      if (--work.users === 0) {
        work.abort.abort();
        // A later caller must not attach to work that is being aborted; the last one waits until nothing of it is left.
        if (this.#running.get(key) === work) this.#running.delete(key);
        await work.result.catch(() => undefined);
      }
    }
  }

  #begin(key: string, start: (signal: AbortSignal, report: (progress: P) => void) => Promise<T>): Work<T, P> {
    const abort = new AbortController();
    const listeners = new Set<(progress: P) => void>();
    const report = (progress: P): void => {
      work.last = progress;
      for (const listener of listeners) listener(progress);
    };
    const begun = Promise.resolve().then(() => start(abort.signal, report));
    const work: Work<T, P> = { result: begun, abort, listeners, last: undefined, users: 0 };
    this.#running.set(key, work);
    const forget = (): void => {
      if (this.#running.get(key) === work) this.#running.delete(key);
    };
    work.result.then(forget, forget);
    return work;
  }
}
