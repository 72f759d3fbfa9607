import { readConcrete } from './concrete.ts';
import type { Branch, Item, Leaf } from './concrete.ts';
import { DiagnosticBag } from './diagnostics.ts';
import { LineTable } from './position.ts';
import { readSexp } from './reader.ts';

/** The geometry of `Layout`, by which OBuilder prints specs; the parentheses that close outer lists do not count. */
const margin = 78;
const maxIndent = 68;

/** What follows the first word of a list is lined up after it, or under it when it is longer than this. */
const maxHead = 16;

/**
 * Lays a spec file out, and changes nothing in it but blanks: words, strings, comments and the order of fields stay as they
 * are written, one empty line between two things stays, and so do the file's line ends. Where there are no comments and
 * nothing is too wide, the layout is that of `printSpec`. Formatting twice is formatting once. Time is linear.
 *
 * The text need not be a spec yet, but one expression. Undefined when it is not; `parseSpec` says why.
 */
export function formatSpec(text: string): string | undefined {
  const bag = new DiagnosticBag(new LineTable(''));
  if (readSexp(text, bag) === undefined || bag.failed) return undefined;
  const { items, lineEnd } = readConcrete(text);
  return new Formatter(lineEnd).file(items);
}

/** What a list is, as far as its layout goes. */
type Role = 'root' | 'spec' | 'operation' | 'other';

/** Where soft gaps become new lines: everywhere, nowhere, or where the line is full. */
type Style = 'lines' | 'flat' | 'fill';

/** Recurses into lists: the reader has refused those that are nested too deep for that. */
class Formatter {
  readonly #out: string[] = [];
  readonly #lineEnd: string;
  #column = 0;

  constructor(lineEnd: string) {
    this.#lineEnd = lineEnd;
  }

  file(items: readonly Item[]): string {
    this.#items(items, { role: 'root', style: 'lines', indent: 0, firstSoft: 0 });
    this.#newLine(0);
    return this.#out.join('');
  }

  #list(list: Branch, role: Role): void {
    const { items } = list;
    const column = this.#column;
    const isSpec = role === 'root' || role === 'spec';
    const head = !isSpec && items[0]?.kind === 'atom' ? items[0] : undefined;
    const operation = role === 'operation' && head !== undefined ? nameOf(head) : '';
    this.#write('(');
    this.#items(items, {
      role: isSpec ? 'operation' : operation === 'build' ? 'spec' : 'other',
      style: isSpec ? 'lines' : styleOf(list, operation, column),
      indent: column + (head === undefined || head.width > maxHead ? 1 : head.width + 2),
      firstSoft: head === undefined ? 1 : 2,
    });
    // A commented out spec is no root: its end would not look like the file's.
    const endsFile = role === 'root' && column === 0 && items.length > 0;
    if (endsFile || items.at(-1)?.kind === 'line-comment') this.#newLine(column);
    this.#write(')');
  }

  /** Lists among the items have `role`; new lines are indented by `indent`; a soft gap before item `firstSoft` is a blank. */
  #items(items: readonly Item[], layout: { role: Role; style: Style; indent: number; firstSoft: number }): void {
    const { role, style, indent, firstSoft } = layout;
    items.forEach((item, i) => {
      const { before } = item;
      if (before === 'blank') this.#emptyLine();
      const isFull = (): boolean => this.#column + 1 + widthUpToSoft(items, i) > margin;
      const breaks = before === 'soft' && i >= firstSoft && (style === 'lines' || (style === 'fill' && isFull()));
      if (breaks || before === 'line' || before === 'blank') this.#newLine(indent);
      else if (before !== 'none') this.#write(' ');
      if (item.kind === 'list') this.#list(item, role);
      else this.#leaf(item);
    });
  }

  #leaf(leaf: Leaf): void {
    if (leaf.width === leaf.text.length) {
      this.#write(leaf.text);
      return;
    }
    const text = leaf.kind === 'atom' ? moveString(leaf.text, this.#column - leaf.column) : leaf.text;
    this.#out.push(text);
    this.#column = text.length - text.lastIndexOf('\n') - 1;
  }

  #write(text: string): void {
    this.#out.push(text);
    this.#column += text.length;
  }

  #emptyLine(): void {
    this.#out.push(this.#lineEnd);
  }

  #newLine(indent: number): void {
    this.#column = Math.min(indent, maxIndent);
    this.#out.push(this.#lineEnd, ' '.repeat(this.#column));
  }
}

/** The operation a word means: OBuilder takes it capitalised too. */
function nameOf(head: Leaf): string {
  return head.text.charAt(0).toLowerCase() + head.text.slice(1);
}

function styleOf(list: Branch, operation: string, column: number): Style {
  if (operation === 'build' || operation === 'run') return 'lines';
  // The value of a variable belongs beside its name, however long it is.
  if (operation === 'env' || (!list.broken && column + list.width <= margin)) return 'flat';
  return list.items.some((item) => item.kind === 'list') ? 'lines' : 'fill';
}

/** Letters from an item up to the next place where the line may be broken; comments at the end of the line may stick out. */
function widthUpToSoft(items: readonly Item[], from: number): number {
  let width = 0;
  for (let i = from; i < items.length; i++) {
    const item = items[i] as Item;
    const isFixed = item.before === 'none' || item.before === 'space';
    if (item.kind === 'line-comment' || (i > from && !isFixed)) break;
    width += item.width + (i > from && item.before === 'space' ? 1 : 0);
  }
  return width;
}

/** A string over several lines keeps its looks where it goes; blanks after a backslash and a line end mean nothing. */
function moveString(text: string, by: number): string {
  if (by === 0) return text;
  return text.replaceAll(/\\(?:(\r?\n)([ \t]*)|[^])/g, (written, lineEnd?: string, blanks = '') => {
    if (lineEnd === undefined) return written;
    const most = Math.max(blanks.length, maxIndent);
    return `\\${lineEnd}${' '.repeat(Math.max(0, Math.min(blanks.length + by, most)))}`;
  });
}
