import { DiagnosticBag } from './diagnostics.ts';
import { Lexer } from './lexer.ts';
import { LineTable } from './position.ts';

/**
 * What stands between an item and the one before it, or the parenthesis. `none`, `space`, `line` and `blank` (a line left
 * empty) are fixed, because a comment or the author has it so; `soft` is for the layout to choose.
 */
export type Gap = 'none' | 'space' | 'soft' | 'line' | 'blank';

/** A word, a string, a comment, or the mark `#;`, letter for letter. */
export interface Leaf {
  readonly kind: 'atom' | 'line-comment' | 'block-comment' | 'datum';
  readonly text: string;
  /** Letters up to the first line end in it. */
  readonly width: number;
  /** Where it began on its line. */
  readonly column: number;
  /** Line ends before it, two at most. */
  readonly lineEnds: number;
  before: Gap;
}

/** A list, comments included. */
export interface Branch {
  readonly kind: 'list';
  readonly items: Item[];
  /** Letters on one line, parentheses included. */
  width: number;
  /** Takes several lines, however wide they are. */
  broken: boolean;
  readonly lineEnds: number;
  before: Gap;
}

export type Item = Leaf | Branch;

/** A file: everything in it that is no blank. */
export interface ConcreteFile {
  readonly items: readonly Item[];
  readonly lineEnd: '\n' | '\r\n';
}

/**
 * Reads all that is written in a text, comments too, and says where they belong: after what stands before them on their
 * line, otherwise before what follows. Only for texts that the reader takes without an error; it sees to the depth.
 * The reader that specs go through keeps no comments, so that it stays as fast as it is.
 */
export function readConcrete(text: string): ConcreteFile {
  const lexer = new Lexer(text, new DiagnosticBag(new LineTable('')));
  const file: Item[] = [];
  const open: Branch[] = [];
  let items = file;
  let lineEnd: ConcreteFile['lineEnd'] | undefined;
  for (;;) {
    const from = lexer.end;
    const kind = lexer.next();
    const newline = text.slice(from, lexer.start).indexOf('\n');
    if (newline !== -1) lineEnd ??= text[from + newline - 1] === '\r' ? '\r\n' : '\n';
    if (kind === 'end') break;
    if (kind === 'close') {
      const list = open.pop();
      if (list !== undefined) measure(list);
      items = open.at(-1)?.items ?? file;
      continue;
    }
    const lineEnds = newline === -1 ? 0 : text.slice(from + newline + 1, lexer.start).includes('\n') ? 2 : 1;
    if (kind === 'open') {
      const list: Branch = { kind: 'list', items: [], width: 0, broken: false, lineEnds, before: 'none' };
      items.push(list);
      open.push(list);
      items = list.items;
    } else items.push(readLeaf(text, lexer, lineEnds));
  }
  setGaps(file);
  const [first] = file;
  // At the very beginning this letter would be a byte order mark.
  if (first !== undefined) first.before = first.kind === 'atom' && first.text.startsWith('\ufeff') ? 'space' : 'none';
  return { items: file, lineEnd: lineEnd ?? '\n' };
}

function isComment(item: Item | undefined): boolean {
  return item?.kind === 'line-comment' || item?.kind === 'block-comment';
}

function readLeaf(source: string, { kind, start, end }: Lexer, lineEnds: number): Leaf {
  const written = source.slice(start, end);
  const isLineComment = kind === 'comment' && written.startsWith(';');
  const text = isLineComment ? withoutTrailingBlanks(written) : written;
  const newline = text.indexOf('\n');
  return {
    kind: kind === 'datum' ? kind : kind !== 'comment' ? 'atom' : isLineComment ? 'line-comment' : 'block-comment',
    text,
    width: newline === -1 ? text.length : newline,
    // Only a text that goes over several lines is moved, and only for that is the line searched.
    column: newline === -1 ? 0 : start - (source.lastIndexOf('\n', start) + 1),
    lineEnds,
    before: 'none',
  };
}

function withoutTrailingBlanks(text: string): string {
  let end = text.length;
  while (/[ \t\f]/.test(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}

/** Decides the gaps of a list that is complete, and what they make of its width. */
function measure(list: Branch): void {
  const { items } = list;
  setGaps(items);
  const [head, second] = items;
  // What a list begins with is not parted from it by an empty line.
  if (head?.kind === 'atom' && second?.before === 'blank') second.before = isComment(second) ? 'line' : 'soft';
  list.width = 2;
  list.broken = items.at(-1)?.kind === 'line-comment';
  for (const item of items) {
    const { before } = item;
    list.width += item.width + (before === 'none' ? 0 : 1);
    list.broken ||= before === 'line' || before === 'blank';
    list.broken ||= item.kind === 'list' ? item.broken : item.width < item.text.length;
  }
}

function setGaps(items: readonly Item[]): void {
  const leading = leadingComments(items);
  /** Expressions that the marks `#;` still want. */
  let wanted = 0;
  items.forEach((item, i) => {
    item.before = gapBefore(item, items[i - 1], leading.has(item), wanted);
    if (item.kind === 'datum') wanted++;
    else if (!isComment(item) && wanted > 0) wanted--;
  });
}

function gapBefore(item: Item, previous: Item | undefined, leads: boolean, wanted: number): Gap {
  const fixed = item.lineEnds === 2 ? 'blank' : 'line';
  if (previous === undefined) {
    if (isComment(item) && item.lineEnds > 0) return 'line';
    return item.kind === 'line-comment' ? 'space' : 'none';
  }
  if (wanted > 0) {
    // What is commented out stays with its mark.
    if (previous.kind === 'line-comment') return 'line';
    return previous.kind === 'datum' && !isComment(item) ? 'none' : 'space';
  }
  if (previous.kind === 'line-comment') return fixed;
  if (isComment(item)) {
    if (item.lineEnds > 0) return fixed;
    return leads && !isComment(previous) ? 'soft' : 'space';
  }
  if (isComment(previous)) return item.lineEnds > 0 ? fixed : 'space';
  return item.lineEnds === 2 ? 'blank' : 'soft';
}

/** The comments that an expression follows on the same line: they belong to it, not to what stands before them. */
function leadingComments(items: readonly Item[]): Set<Item> {
  const leading = new Set<Item>();
  for (let i = items.length - 2; i >= 0; i--) {
    const item = items[i] as Item;
    const next = items[i + 1] as Item;
    if (item.kind !== 'block-comment' || next.lineEnds > 0) continue;
    if (!isComment(next) || leading.has(next)) leading.add(item);
  }
  return leading;
}
