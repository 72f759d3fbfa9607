import { DiagnosticBag } from './diagnostics.ts';
import { Lexer } from './lexer.ts';
import { LineTable } from './position.ts';
import { opNames } from './spec.ts';

/** What a piece of a spec is, for colours. `name` is a word that begins a list and is no keyword, such as a cache id. */
export type HighlightKind = 'paren' | 'op' | 'field' | 'name' | 'word' | 'string' | 'number' | 'comment';

/** A piece of text, by offsets (`end` exclusive). Pieces come in order and do not overlap; between them are blanks. */
export interface Highlight {
  readonly kind: HighlightKind;
  readonly start: number;
  readonly end: number;
}

const ops: ReadonlySet<string> = new Set([...opNames, 'build', 'from']);
const number = /^[-+]?([0-9][0-9_]*|0[xX][0-9a-fA-F_]+|0[oObBuU][0-9_]+)$/;
const fields: ReadonlySet<string> = new Set([
  'cache',
  'network',
  'secrets',
  'shell',
  'from',
  'build',
  'src',
  'dst',
  'exclude',
  'uid',
  'gid',
  'name',
  'target',
  'buildkit_options',
]);

/** Classifies a spec for an editor. Takes any text, right or wrong; what `#;` comments out is a comment throughout. */
export function highlight(text: string): Highlight[] {
  const found: Highlight[] = [];
  const lexer = new Lexer(text, new DiagnosticBag(new LineTable('')));
  /** The first word of each open list once it is known, '' if the list does not begin with one. */
  const heads: (string | undefined)[] = [];
  /** Depths at which a `#;` waits for an expression, or swallows the one being read. */
  const skips: number[] = [];
  for (let kind = lexer.next(); kind !== 'end'; kind = lexer.next()) {
    const { start, end } = lexer;
    if (kind === 'close') {
      heads.pop();
      while ((skips.at(-1) ?? -1) > heads.length) skips.pop();
    }
    const commented = skips.length > 0 || kind === 'comment' || kind === 'datum';
    found.push({ kind: commented ? 'comment' : classify(kind, lexer.value, heads), start, end });
    if (kind === 'datum') skips.push(heads.length);
    if (kind === 'open' || kind === 'atom' || kind === 'string') {
      if (!commented && heads.length > 0) heads[heads.length - 1] ??= kind === 'atom' ? lexer.value : '';
    }
    if (kind === 'open') heads.push(undefined);
    const completes = kind === 'close' || kind === 'atom' || kind === 'string';
    if (completes && skips.at(-1) === heads.length) skips.pop();
  }
  return found;
}

function classify(kind: Lexer['kind'], value: string, heads: readonly (string | undefined)[]): HighlightKind {
  if (kind === 'open' || kind === 'close') return 'paren';
  if (kind === 'string') return 'string';
  const isHead = heads.length > 0 && heads.at(-1) === undefined;
  if (!isHead) return number.test(value) ? 'number' : 'word';
  // An operation stands in a spec, whose list begins with a list; a field stands in a list that begins with a word.
  const parent = heads.at(-2);
  if (parent === undefined || parent === '') return ops.has(value) ? 'op' : 'name';
  return fields.has(value) ? 'field' : 'name';
}
