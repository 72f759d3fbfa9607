import { existsSync, mkdirSync, readdirSync, renameSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';

import type { StepId } from '@loam/base';
import type { LogChunk, LogSpool } from '@loam/engine';
import { removeIfFree } from '@loam/files';

import { LogFile } from './log-file.ts';

export interface FileLogSpoolOptions {
  /** What all logs together may take before the oldest go. 256 MiB unless told. */
  readonly maxBytes?: number;
}

/** Also remembers which logs the farm has. */
export interface FileLogSpool extends LogSpool {
  /** The log of a step whose execution the farm has not heard of, so far as is known; undefined when it has, or there is none. */
  untold(stepId: StepId): AsyncIterable<LogChunk> | undefined;
  /** The farm has the log. */
  told(stepId: StepId): void;
}

/**
 * Keeps the logs of step executions in `<directory>/<step id>`: while they are written, for builds that join late, and
 * afterwards, failed ones included, until newer ones need their room. A step that prints nothing gets no file. When the farm
 * has a log, its file is called `<step id>.told`.
 */
export function fileLogSpool(directory: string, options: FileLogSpoolOptions = {}): FileLogSpool {
  const maxBytes = options.maxBytes ?? 256 * 1024 * 1024;
  const pathOf = (stepId: StepId): string => join(directory, stepId);
  const toldPathOf = (stepId: StepId): string => `${pathOf(stepId)}.told`;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  let total = listLogs(directory).reduce((sum, log) => sum + log.sizeBytes, 0);

  function prune(): void {
    if (total <= maxBytes) return;
    const logs = listLogs(directory).toSorted((a, b) => a.usedAtMs - b.usedAtMs);
    total = logs.reduce((sum, log) => sum + log.sizeBytes, 0);
    for (const log of logs) {
      if (total <= maxBytes) break;
      // One that somebody has open stays, and counts, until the next time.
      if (removeIfFree(log.path)) total -= log.sizeBytes;
    }
  }

  return {
    create(stepId) {
      const path = pathOf(stepId);
      let file: LogFile | undefined;
      let failure: unknown;
      try {
        removeIfFree(toldPathOf(stepId));
        // Where somebody has the old one open, it is at least emptied.
        if (!removeIfFree(path)) file = new LogFile(path, 'w+');
      } catch (error) {
        failure = error;
      }
      return {
        append(stream, bytes) {
          try {
            file ??= new LogFile(path, 'w+');
            file.append(stream, bytes);
          } catch (error) {
            failure ??= error;
          }
        },
        async *read(from) {
          if (file) yield* file.read(from);
        },
        async end() {
          file?.flush();
          total += file?.sizeBytes ?? 0;
          prune();
          const problem = failure ?? file?.failure;
          if (problem !== undefined) throw problem;
        },
      };
    },
    read: (stepId) => readFirst([pathOf(stepId), toldPathOf(stepId)]),
    untold: (stepId) => (existsSync(pathOf(stepId)) ? readFirst([pathOf(stepId), toldPathOf(stepId)]) : undefined),
    told(stepId) {
      try {
        renameSync(pathOf(stepId), toldPathOf(stepId));
      } catch {
        // It printed nothing, was pruned, or somebody has it open: then it is told once more.
      }
    },
  };
}

/** Reads the first file that is there when the reading begins: until then one may get its other name, or have to go. */
async function* readFirst(paths: readonly string[]): AsyncGenerator<LogChunk> {
  for (const path of paths) {
    const file = openFile(path);
    if (file !== undefined) return yield* file.read(0);
  }
}

function openFile(path: string): LogFile | undefined {
  try {
    utimesSync(path, new Date(), new Date());
    return new LogFile(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function listLogs(directory: string): { path: string; sizeBytes: number; usedAtMs: number }[] {
  return readdirSync(directory).flatMap((name) => {
    const path = join(directory, name);
    const found = statSync(path, { throwIfNoEntry: false });
    return found?.isFile() ? [{ path, sizeBytes: found.size, usedAtMs: found.mtimeMs }] : [];
  });
}
