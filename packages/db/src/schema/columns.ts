import { bigint, text } from 'drizzle-orm/pg-core';

/** Milliseconds since the epoch: what the wire uses, exact to compare in a cursor, and free of time zones. */
export const timeMs = () => bigint({ mode: 'number' });
export const count = () => bigint({ mode: 'number' });
/** One of a closed set; the set is checked in the database where it guards an invariant. */
export const oneOf = <const T extends readonly [string, ...string[]]>(values: T) => text({ enum: values });
