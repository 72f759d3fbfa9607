import { characterOfByte, normalizeText } from './bytes.ts';
import type { DiagnosticBag } from './diagnostics.ts';

/** `datum` is the two characters `#;`, which comment out the expression after them. */
export type TokenKind = 'open' | 'close' | 'atom' | 'string' | 'comment' | 'datum' | 'end';

const tab = 9;
const newline = 10;
const formFeed = 12;
const carriageReturn = 13;
const space = 32;
const quote = 34;
const hash = 35;
const openParen = 40;
const closeParen = 41;
const semicolon = 59;
const backslash = 92;
const bar = 124;

/**
 * Cuts a spec into tokens the way sexplib v0.15 does, with one difference: it reports what is wrong and goes on.
 *
 * One token at a time stands in the lexer's own fields, because ten million parentheses are ten million tokens.
 */
export class Lexer {
  kind: TokenKind = 'end';
  /** Where the token begins, and where it ends (exclusive). */
  start = 0;
  end = 0;
  /** The text an atom or a string stands for. */
  value = '';
  /** Offset of the line that only blanks separate from the token, or -1 when something else does. */
  freshLine = 0;

  readonly #text: string;
  readonly #bag: DiagnosticBag;
  readonly #wellFormed: boolean;

  constructor(text: string, bag: DiagnosticBag) {
    this.#text = text;
    this.#bag = bag;
    this.#wellFormed = text.isWellFormed();
  }

  /** Advances to the next token and returns its kind. */
  next(): TokenKind {
    const text = this.#text;
    let at = this.#skipBlanks(this.end);
    this.start = at;
    if (at >= text.length) return this.#token('end', at);
    const code = text.charCodeAt(at);
    if (code === openParen) return this.#token('open', at + 1);
    if (code === closeParen) return this.#token('close', at + 1);
    if (code === quote) return this.#string(at);
    if (code === semicolon) return this.#token('comment', this.#lineEnd(at));
    if (code === hash) {
      const following = text.charCodeAt(at + 1);
      if (following === semicolon) return this.#token('datum', at + 2);
      if (following === bar) return this.#token('comment', this.#blockCommentEnd(at));
    }
    while (at < text.length && !endsAtom(text.charCodeAt(at))) at++;
    return this.#atom(at);
  }

  #token(kind: TokenKind, end: number): TokenKind {
    this.kind = kind;
    this.end = end;
    return kind;
  }

  #skipBlanks(from: number): number {
    const text = this.#text;
    let at = from;
    this.freshLine = from === 0 ? 0 : -1;
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code === newline) this.freshLine = at + 1;
      if (code === space || code === newline || code === tab || code === formFeed) continue;
      if (code !== carriageReturn) break;
      if (text.charCodeAt(at + 1) === newline) continue;
      this.#bag.error('read.stray-carriage-return', at, at + 1, {
        message: 'A carriage return must be followed by a line feed outside strings.',
        expected: 'line feed',
        hint: 'Save the file with LF or CRLF line ends, or write \\r inside a string.',
      });
    }
    return at;
  }

  /** A `;` comment ends before its line end, so that a stray `\r` in it is seen as sexplib sees it. */
  #lineEnd(from: number): number {
    const text = this.#text;
    let at = from;
    for (; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code === newline || code === carriageReturn) break;
    }
    return at;
  }

  #atom(end: number): TokenKind {
    const value = this.#text.slice(this.start, end);
    const mark = value.search(/#\||\|#/);
    if (mark !== -1) {
      this.#bag.error('read.comment-in-atom', this.start + mark, this.start + mark + 2, {
        message: `\`${value.slice(mark, mark + 2)}\` is a comment mark and cannot be part of a bare word.`,
        found: value.slice(0, 40),
        hint: 'Put the word in double quotes, or put a space before the comment.',
      });
    }
    this.value = this.#wellFormed ? value : normalizeText(value);
    return this.#token('atom', end);
  }

  #string(from: number): TokenKind {
    const text = this.#text;
    const parts: string[] = [];
    let joinBytes = !this.#wellFormed;
    let chunk = from + 1;
    let at = from + 1;
    for (;;) {
      if (at >= text.length) {
        this.#bag.error('read.unclosed-string', from, from + 1, {
          message: 'This string is never closed.',
          expected: 'closing double quote',
        });
        break;
      }
      const code = text.charCodeAt(at);
      if (code === quote) break;
      if (code !== backslash) {
        at++;
        continue;
      }
      parts.push(text.slice(chunk, at));
      const escape = this.#escape(at);
      if (escape.value.charCodeAt(0) >= 0xdc80) joinBytes = true;
      parts.push(escape.value);
      at = escape.end;
      chunk = at;
    }
    parts.push(text.slice(chunk, at));
    const value = parts.length === 1 ? (parts[0] as string) : parts.join('');
    this.value = joinBytes ? normalizeText(value) : value;
    return this.#token('string', Math.min(at + 1, text.length));
  }

  /** What the backslash at `at` and the characters after it stand for, and where they end. */
  #escape(at: number): { value: string; end: number } {
    const text = this.#text;
    const letter = text.charAt(at + 1);
    const simple = simpleEscapes.get(letter);
    if (simple !== undefined) return { value: simple, end: at + 2 };
    if (letter === '\n') return { value: '', end: this.#skipIndent(at + 2) };
    if (letter === '\r') {
      if (text.charAt(at + 2) === '\n') return { value: '', end: this.#skipIndent(at + 3) };
      return { value: '\r', end: at + 2 };
    }
    if (letter >= '0' && letter <= '9') return this.#numericEscape(at, at + 1, 3, /^[0-9]+/, 10);
    if (letter === 'x') return this.#numericEscape(at, at + 2, 2, /^[0-9a-fA-F]+/, 16);
    // Any other character is not an escape: sexplib keeps the backslash, and the character stands for itself.
    return { value: '\\', end: at + 1 };
  }

  #numericEscape(at: number, from: number, length: number, digits: RegExp, base: number) {
    const text = this.#text;
    const found = digits.exec(text.slice(from, from + length))?.[0] ?? '';
    const end = from + found.length;
    const value = Number.parseInt(found, base);
    if (found.length === length && value <= 255) return { value: characterOfByte(value), end };
    const isHex = base === 16;
    const shown = /^[^\n\r"]*/.exec(text.slice(at, from + length))?.[0] ?? '';
    this.#bag.error('read.bad-escape', at, Math.max(end, at + 1), {
      message:
        found.length === length
          ? `The escape \`${shown}\` is out of range: a byte is at most 255.`
          : `The escape \`${shown}\` is incomplete.`,
      found: shown,
      expected: isHex ? '\\x and two hexadecimal digits' : '\\ and three decimal digits, 000 to 255',
      hint: 'Write \\\\ for a backslash.',
    });
    return { value: '', end };
  }

  #skipIndent(from: number): number {
    let at = from;
    while (this.#text.charAt(at) === ' ' || this.#text.charAt(at) === '\t') at++;
    return at;
  }

  /** Block comments nest, and a string inside one is a string: comment marks in it do not count, bad escapes do. */
  #blockCommentEnd(from: number): number {
    const text = this.#text;
    let depth = 1;
    let at = from + 2;
    while (at < text.length) {
      const code = text.charCodeAt(at);
      if (code === quote) {
        this.#string(at);
        at = this.end;
      } else if (code === bar && text.charCodeAt(at + 1) === hash) {
        at += 2;
        depth--;
        if (depth === 0) return at;
      } else if (code === hash && text.charCodeAt(at + 1) === bar) {
        depth++;
        at += 2;
      } else at++;
    }
    this.#bag.error('read.unclosed-comment', from, from + 2, {
      message: 'This block comment is never closed.',
      expected: '|#',
    });
    return text.length;
  }
}

const simpleEscapes = new Map([
  ['n', '\n'],
  ['t', '\t'],
  ['b', '\b'],
  ['r', '\r'],
  ['\\', '\\'],
  ['"', '"'],
  ["'", "'"],
]);

function endsAtom(code: number): boolean {
  return (
    code === space ||
    code === openParen ||
    code === closeParen ||
    code === newline ||
    code === quote ||
    code === semicolon ||
    code === carriageReturn ||
    code === tab ||
    code === formFeed
  );
}
