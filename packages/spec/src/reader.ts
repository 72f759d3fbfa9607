import type { DiagnosticBag } from './diagnostics.ts';
import { Lexer } from './lexer.ts';

/** A word or a string. `start` and `end` are offsets into the text, quotes included. */
export interface AtomNode {
  readonly kind: 'atom';
  readonly value: string;
  readonly quoted: boolean;
  readonly start: number;
  readonly end: number;
}

/** A list with its parentheses. */
export interface ListNode {
  readonly kind: 'list';
  readonly items: SexpNode[];
  readonly start: number;
  end: number;
}

export type SexpNode = AtomNode | ListNode;

/**
 * Parentheses inside parentheses that we follow. OBuilder has no limit but its stack; five hundred builds inside one
 * another are enough, and walks over a tree may then recurse even on the small stack of a browser's worker.
 */
export const maxDepth = 1000;

/** A list being read, and how many `#;` wait for an expression in it. */
interface Frame {
  readonly list: ListNode;
  /** Indentation of the list, or of the list around it when something else stands before it on the line. */
  readonly column: number;
  skips: number;
}

/**
 * Reads the one S-expression that a spec file holds.
 * Wrong input is reported to `bag`; what could be read is returned as far as it makes sense. Time is linear in the text.
 */
export function readSexp(text: string, bag: DiagnosticBag): SexpNode | undefined {
  if (text.startsWith('\ufeff')) {
    bag.error('read.byte-order-mark', 0, 1, {
      message: 'The file begins with a byte order mark.',
      hint: 'Save it as UTF-8 without BOM.',
    });
  }
  return new Reader(text, bag).read();
}

class Reader {
  readonly #text: string;
  readonly #bag: DiagnosticBag;
  readonly #lexer: Lexer;
  readonly #frames: Frame[] = [];
  #root: SexpNode | undefined;
  #topSkips = 0;
  #extraReported = false;
  /** A list that begins a line no deeper than an open list does: the closing parenthesis was probably forgotten before it. */
  #suspect: { opener: number; next: number } | undefined;

  constructor(text: string, bag: DiagnosticBag) {
    this.#text = text;
    this.#bag = bag;
    this.#lexer = new Lexer(text, bag);
    if (text.startsWith('\ufeff')) this.#lexer.end = 1;
  }

  read(): SexpNode | undefined {
    const lexer = this.#lexer;
    while (!this.#bag.full) {
      const kind = lexer.next();
      if (kind === 'end') {
        this.#finish();
        break;
      }
      if (kind === 'open') {
        if (!this.#open()) break;
      } else if (kind === 'close') this.#close();
      else if (kind === 'datum') this.#addSkip(1);
      else if (kind === 'atom' || kind === 'string') this.#addAtom(kind === 'string');
    }
    return this.#root;
  }

  #open(): boolean {
    const { start, end, freshLine } = this.#lexer;
    if (this.#frames.length >= maxDepth) {
      this.#bag.error('read.too-deep', start, end, { message: `Lists are nested more than ${maxDepth} deep.` });
      return false;
    }
    const parent = this.#frames.at(-1);
    const column = freshLine === -1 ? (parent?.column ?? 0) : start - freshLine;
    if (freshLine !== -1 && parent !== undefined && column <= parent.column) {
      this.#suspect ??= { opener: parent.list.start, next: start };
    }
    this.#frames.push({ list: { kind: 'list', items: [], start, end }, column, skips: 0 });
    return true;
  }

  #close(): void {
    const { start, end } = this.#lexer;
    const frame = this.#frames.pop();
    if (frame === undefined) {
      this.#bag.error('read.unexpected-close', start, end, {
        message: 'This closing parenthesis has no opening one.',
        found: ')',
        expected: 'end of file',
      });
      return;
    }
    if (frame.skips > 0) this.#emptyDatumComment(start, end);
    frame.list.end = end;
    this.#add(frame.list);
  }

  #addAtom(quoted: boolean): void {
    const { value, start, end } = this.#lexer;
    const atEnd = !quoted && end === this.#text.length && this.#frames.length === 0;
    if (atEnd && this.#root !== undefined && this.#topSkips > 0) {
      // Accepted with a newline after it; without one OBuilder waits for the rest of the word.
      this.#bag.error('read.empty-datum-comment', start, end, {
        message: 'A bare word commented out at the very end of the file needs a line end after it.',
        found: value,
      });
    }
    this.#add({ kind: 'atom', value, quoted, start, end });
  }

  /** An expression is complete: hand it to the list around it, unless a `#;` swallows it. */
  #add(node: SexpNode): void {
    const frame = this.#frames.at(-1);
    const skips = frame === undefined ? this.#topSkips : frame.skips;
    if (skips > 0) this.#addSkip(-1);
    else if (frame !== undefined) frame.list.items.push(node);
    else if (this.#root === undefined) this.#root = node;
    else if (!this.#extraReported) {
      this.#extraReported = true;
      this.#bag.error('read.too-many-expressions', node.start, node.end, {
        message: 'A spec file holds one expression; this is a second one.',
        found: this.#text.slice(node.start, Math.min(node.end, node.start + 40)),
        expected: 'end of file',
        hint: 'Look for a closing parenthesis too many before it.',
      });
    }
  }

  #addSkip(change: 1 | -1): void {
    const frame = this.#frames.at(-1);
    if (frame === undefined) this.#topSkips += change;
    else frame.skips += change;
  }

  #emptyDatumComment(start: number, end: number): void {
    this.#bag.error('read.empty-datum-comment', start, end, {
      message: '`#;` comments out the expression after it, but there is none.',
      found: end > start ? ')' : 'end of file',
      expected: 'an expression',
    });
  }

  #finish(): void {
    const length = this.#text.length;
    // What an unclosed string or comment swallowed may have closed everything.
    if (this.#bag.items.some(({ code }) => code === 'read.unclosed-string' || code === 'read.unclosed-comment')) return;
    const innermost = this.#frames.at(-1);
    if (innermost !== undefined) {
      const opener = this.#suspect?.opener ?? innermost.list.start;
      const open = this.#frames.length;
      this.#bag.error('read.unclosed-list', opener, opener + 1, {
        message:
          open === 1
            ? 'This parenthesis is never closed.'
            : `The file ends with ${open} parentheses open; this one is probably the one to close.`,
        found: 'end of file',
        expected: open === 1 ? ')' : ')'.repeat(Math.min(open, 20)),
        ...(this.#suspect !== undefined && {
          hint: `Line ${lineOf(this.#text, this.#suspect.next)} begins as if it had been closed before.`,
        }),
      });
    } else if (this.#topSkips > 0) this.#emptyDatumComment(length, length);
    else if (this.#root === undefined && this.#bag.items.length === 0) {
      this.#bag.error('read.nothing', 0, length, {
        message: 'The file holds no spec.',
        found: length === 0 ? 'an empty file' : 'only blanks and comments',
        expected: '((from BASE) OPERATION…)',
      });
    }
  }
}

function lineOf(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) line++;
  return line;
}
