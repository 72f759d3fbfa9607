/** What a catalogue says of one error. `{name}` in the message is filled from the error's details. */
export interface ErrorEntry {
  /** HTTP status when it reaches a REST caller. */
  readonly status: number;
  /** What happened, for the user: one sentence, no internals, no secrets. */
  readonly message: string;
  /** What to do about it. */
  readonly remedy: string;
}

/** Declares a room's errors. Codes read `room.kind-of-failure` and never change once released. */
export function defineErrors<const T extends Record<string, ErrorEntry>>(entries: T): T {
  return entries;
}
