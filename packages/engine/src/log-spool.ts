import type { OutputStream } from '@loam/backend';
import type { StepId } from '@loam/base';

/** A piece of a log. */
export interface LogChunk {
  readonly stream: OutputStream;
  /** Of the first byte, in the merged log. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** The log of one execution of a step, while it is written. */
export interface SpoolWriter {
  /** Takes the next bytes; never blocks. A write that fails shows in `end`. */
  append(stream: OutputStream, bytes: Uint8Array): void;
  /** What was appended so far, from byte `from` on, in order; ends there. Works after `end` too. */
  read(from: number): AsyncIterable<LogChunk>;
  /** Nothing more comes. Resolves when everything is safe. */
  end(): Promise<void>;
}

/**
 * Keeps the logs of step executions on this agent, failed ones too, so that late followers see them from byte 0.
 * A step that is executed again gets a new log in place of the old one. How long logs are kept is the implementation's choice,
 * but a writer's own `read` works as long as somebody holds the writer.
 */
export interface LogSpool {
  create(stepId: StepId): SpoolWriter;
  /** The log of the step's last execution; nothing when there is none. */
  read(stepId: StepId): AsyncIterable<LogChunk>;
}

interface MemoryLog {
  readonly chunks: LogChunk[];
  length: number;
}

/** A spool for tests and for short-lived processes. */
export function memoryLogSpool(): LogSpool {
  const logs = new Map<StepId, MemoryLog>();
  return {
    create(stepId) {
      const log: MemoryLog = { chunks: [], length: 0 };
      logs.set(stepId, log);
      return {
        append(stream, bytes) {
          if (bytes.length === 0) return;
          log.chunks.push({ stream, offset: log.length, bytes });
          log.length += bytes.length;
        },
        read: (from) => readFrom(log, from),
        end: () => Promise.resolve(),
      };
    },
    async *read(stepId) {
      const log = logs.get(stepId);
      if (log) yield* readFrom(log, 0);
    },
  };
}

async function* readFrom(log: MemoryLog, from: number): AsyncIterable<LogChunk> {
  const chunks = log.chunks.slice();
  for (const { stream, offset, bytes } of chunks) {
    const skip = Math.max(0, from - offset);
    if (skip < bytes.length) yield { stream, offset: offset + skip, bytes: bytes.subarray(skip) };
    // One turn per piece: a reader behind a live log must not see it as one block only because this one is in memory.
    await Promise.resolve();
  }
}
