import { plainStyle, styleAfter, type TextStyle } from './ansi.ts';

const chunkBytes = 256 * 1024;
const lineFeed = 10;
const escape = 27;

/** A line's bytes, without its line feed, in absolute offsets of the log. */
export interface LineRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The bytes of one log as they arrive, in order and without holes, with an index of line starts. Nothing is decoded here:
 * a viewer asks for the few lines that it shows. Appending costs time in proportion to what is appended.
 */
export class LogStore {
  #chunks: Uint8Array[] = [];
  #size = 0;
  #starts = new Float64Array(1024);
  #lines = 1;
  /** Where the colour that is in force at the start of a line changes, ascending by line. */
  #carryLines: number[] = [];
  #carryStyles: TextStyle[] = [];
  #listeners = new Set<() => void>();
  #version = 0;
  #complete = false;

  /** Bytes held; the log is whole from 0 to here. */
  get size(): number {
    return this.#size;
  }

  /** Whether the farm said that nothing more will come. */
  get complete(): boolean {
    return this.#complete;
  }

  /** Lines to show; text after the last line feed counts as one. */
  get lineCount(): number {
    return this.#lines - (this.#starts[this.#lines - 1] === this.#size ? 1 : 0);
  }

  /** Grows with every change; for React's external store. */
  readonly version = (): number => this.#version;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Takes bytes that begin at `offset`. What is already held is dropped; `gap` means that nothing was taken. */
  append(offset: number, bytes: Uint8Array): 'appended' | 'known' | 'gap' {
    if (offset > this.#size) return 'gap';
    const fresh = bytes.subarray(this.#size - offset);
    if (fresh.length === 0) return 'known';
    const from = this.#size;
    this.#store(fresh);
    this.#index(from, fresh);
    this.#changed();
    return 'appended';
  }

  /** Notes that the log ends at the present size. */
  finish(): void {
    if (this.#complete) return;
    this.#complete = true;
    this.#changed();
  }

  line(index: number): LineRange {
    const start = this.#starts[index] ?? this.#size;
    const end = index + 1 < this.#lines ? this.#starts[index + 1]! - 1 : this.#size;
    return { start, end };
  }

  /** A copy of bytes `[start, end)`. */
  read(start: number, end: number): Uint8Array {
    const stop = Math.min(end, this.#size);
    const out = new Uint8Array(Math.max(0, stop - start));
    for (let at = start; at < stop;) {
      const within = at % chunkBytes;
      const length = Math.min(chunkBytes - within, stop - at);
      out.set(this.#chunks[Math.floor(at / chunkBytes)]!.subarray(within, within + length), at - start);
      at += length;
    }
    return out;
  }

  /** The colours in force where line `index` begins, left over from the lines above. */
  styleAt(index: number): TextStyle {
    let low = 0;
    let high = this.#carryLines.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#carryLines[middle]! <= index) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? plainStyle : this.#carryStyles[low - 1]!;
  }

  #store(bytes: Uint8Array): void {
    for (let taken = 0; taken < bytes.length;) {
      const within = this.#size % chunkBytes;
      if (within === 0) this.#chunks.push(new Uint8Array(chunkBytes));
      const length = Math.min(chunkBytes - within, bytes.length - taken);
      this.#chunks[this.#chunks.length - 1]!.set(bytes.subarray(taken, taken + length), within);
      this.#size += length;
      taken += length;
    }
  }

  #index(from: number, bytes: Uint8Array): void {
    // An escape may stand in the part of the line that came before.
    let unread = from;
    let nextEscape = this.#openLineHasEscape ? -1 : position(bytes, escape, 0, from);
    for (let at = bytes.indexOf(lineFeed); at !== -1; at = bytes.indexOf(lineFeed, at + 1)) {
      const end = from + at;
      if (nextEscape < end) {
        this.#carry(end);
        nextEscape = position(bytes, escape, at, from);
      }
      this.#pushLine(end + 1);
      unread = end + 1;
    }
    this.#openLineHasEscape = nextEscape >= unread ? nextEscape < Infinity : this.#openLineHasEscape;
  }

  #openLineHasEscape = false;

  #carry(end: number): void {
    const before = this.styleAt(this.#lines - 1);
    const after = styleAfter(this.read(this.#starts[this.#lines - 1]!, end), before);
    if (after === before) return;
    this.#carryLines.push(this.#lines);
    this.#carryStyles.push(after);
  }

  #pushLine(start: number): void {
    if (this.#lines === this.#starts.length) {
      const wider = new Float64Array(this.#starts.length * 2);
      wider.set(this.#starts);
      this.#starts = wider;
    }
    this.#starts[this.#lines++] = start;
  }

  #changed(): void {
    this.#version += 1;
    for (const listener of this.#listeners) listener();
  }
}

function position(bytes: Uint8Array, byte: number, after: number, base: number): number {
  const at = bytes.indexOf(byte, after);
  return at === -1 ? Infinity : base + at;
}
