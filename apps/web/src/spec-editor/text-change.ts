/** A text as the editor holds it: every line end is one letter. */
export function asEdited(text: string): string {
  return text.replaceAll(/\r\n?/g, '\n');
}

/** The part in which two texts differ: the cursor stays where nothing does. */
export function changeBetween(before: string, after: string): { from: number; to: number; insert: string } {
  const shorter = Math.min(before.length, after.length);
  let from = 0;
  while (from < shorter && before[from] === after[from]) from++;
  let same = 0;
  while (same < shorter - from && before.at(-1 - same) === after.at(-1 - same)) same++;
  return { from, to: before.length - same, insert: after.slice(from, after.length - same) };
}
