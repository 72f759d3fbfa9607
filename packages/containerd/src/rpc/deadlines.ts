const second = 1000;
const minute = 60 * second;

/**
 * Default deadlines in milliseconds. They are generous: they exist so that nothing hangs for ever, and Windows may need
 * minutes where Linux needs milliseconds (HCS alone allows four for a create).
 */
export const deadlines = {
  version: 5 * second,
  /** Anything that reads or writes metadata only. */
  metadata: 30 * second,
  prepare: 5 * minute,
  createTask: 6 * minute,
  startTask: 6 * minute,
  killTask: 30 * second,
  deleteTask: 2 * minute,
  /** A synchronous garbage collection deletes directories. */
  collect: 30 * minute,
  /** Commits, applying and making layers, moving blobs. */
  bulk: 60 * minute,
} as const;
