import type { LogStore } from './log-store.ts';

const windowBytes = 1024 * 1024;

/**
 * The line after (or before) line `from` that has `text` in it, going round once; -1 when none has. Letters of either case
 * match when `text` has no capitals. Decodes a megabyte at a time, never the whole log.
 */
export function findLine(store: LogStore, text: string, from: number, backwards = false): number {
  const count = store.lineCount;
  if (count === 0) return -1;
  const fold = text === text.toLowerCase();
  const needle = fold ? text.toLowerCase() : text;
  const matches = (first: number, last: number): boolean => {
    const found = decoder.decode(store.read(store.line(first).start, store.line(last).end));
    return (fold ? found.toLowerCase() : found).includes(needle);
  };
  const halves: [number, number][] = backwards
    ? [
        [0, Math.max(-1, from - 1)],
        [Math.max(0, from), count - 1],
      ]
    : [
        [from + 1, count - 1],
        [0, Math.min(from, count - 1)],
      ];
  for (const [low, high] of halves) {
    const line = backwards ? lastIn(store, matches, low, high) : firstIn(store, matches, low, high);
    if (line !== -1) return line;
  }
  return -1;
}

type Matcher = (first: number, last: number) => boolean;
const decoder = new TextDecoder();

function firstIn(store: LogStore, matches: Matcher, low: number, high: number): number {
  for (let first = Math.max(0, low); first <= high;) {
    let last = first;
    while (last < high && store.line(last + 1).end - store.line(first).start < windowBytes) last += 1;
    if (matches(first, last)) for (let line = first; line <= last; line++) if (matches(line, line)) return line;
    first = last + 1;
  }
  return -1;
}

function lastIn(store: LogStore, matches: Matcher, low: number, high: number): number {
  for (let last = high; last >= low;) {
    let first = last;
    while (first > low && store.line(last).end - store.line(first - 1).start < windowBytes) first -= 1;
    if (matches(first, last)) for (let line = last; line >= first; line--) if (matches(line, line)) return line;
    last = first - 1;
  }
  return -1;
}
