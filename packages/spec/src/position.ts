/**
 * A place in a spec file. `line` and `column` count from 1; `column` and `offset` count UTF-16 code units, which is
 * what editors and `String.prototype.slice` count. Lines end at `\n`; the `\r` of a CRLF belongs to the line it ends.
 */
export interface Position {
  readonly line: number;
  readonly column: number;
  readonly offset: number;
}

/** The text from `start` up to, not including, `end`. */
export interface SourceRange {
  readonly start: Position;
  readonly end: Position;
}

/** Turns offsets into positions: one pass to find the lines, then a binary search a question. */
export class LineTable {
  readonly #starts: number[] = [0];
  readonly #length: number;

  constructor(text: string) {
    this.#length = text.length;
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) this.#starts.push(at + 1);
  }

  position(offset: number): Position {
    const at = Math.max(0, Math.min(offset, this.#length));
    const starts = this.#starts;
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] as number) <= at) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: at - (starts[low] as number) + 1, offset: at };
  }

  range(start: number, end: number): SourceRange {
    return { start: this.position(start), end: this.position(end) };
  }
}
