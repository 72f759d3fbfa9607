import type { Digest } from '@loam/base';

interface EntryBase {
  /** Relative to the project directory, `/`-separated, without `.` or `..`; `''` is the directory itself. */
  readonly path: string;
}

export interface ContextFile extends EntryBase {
  readonly kind: 'file';
  readonly sizeBytes: number;
  /** `0o755` when anybody may execute it, else `0o644`. On Windows hosts always `0o644`. */
  readonly mode: number;
  readonly digest: Digest;
}
export interface ContextDirectory extends EntryBase {
  readonly kind: 'directory';
}
export interface ContextSymlink extends EntryBase {
  readonly kind: 'symlink';
  readonly target: string;
}

/** One item of a project, as far as a build can tell it from another. */
export type ContextEntry = ContextFile | ContextDirectory | ContextSymlink;

/** What one `(src …)` of a copy names: the item itself and, for a directory, everything below it that no exclude takes out. */
export interface ContextItem {
  /** The source without `.` and empty components; `''` for the whole project. */
  readonly path: string;
  /** Sorted by path, parents before children; the first entry is the item itself. */
  readonly entries: readonly ContextEntry[];
}

/** The sources and excludes of one copy. */
export interface ContextQuery {
  readonly sources: readonly string[];
  /** Base names, at any depth below a source; a source itself is never excluded. */
  readonly excludes: readonly string[];
}

/**
 * The files that `copy` may read. Lazy: only what a query names is ever looked at.
 * Concurrency: all methods may run at the same time. Errors: `context.*`.
 */
export interface ContextSource {
  /** One item per source, in order. */
  query(query: ContextQuery, signal?: AbortSignal): Promise<ContextItem[]>;
  /** The content of a file that a query named. The reader checks size and digest; the file may have changed meanwhile. */
  open(file: ContextFile): AsyncIterable<Uint8Array>;
}
