/** Closes an exhaustive switch: a new case does not compile until it is placed. */
export function assertNever(value: never): never {
  throw new Error(`unexpected value: ${JSON.stringify(value)}`);
}
