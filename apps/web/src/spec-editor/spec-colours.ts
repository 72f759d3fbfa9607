import { RangeSetBuilder, type EditorState, type Extension } from '@codemirror/state';
import { Decoration, ViewPlugin, type DecorationSet, type EditorView, type ViewUpdate } from '@codemirror/view';
import { highlight, type Highlight } from '@loam/spec';

/** Longer texts stay plain: colours must not slow typing. */
const longest = 500_000;

const marks = new Map<string, Decoration>();
function mark(name: string): Decoration {
  const known = marks.get(name) ?? Decoration.mark({ class: name });
  marks.set(name, known);
  return known;
}

/** Colours from the language's own reader, and the partner of the parenthesis at the cursor. */
export const specColours: Extension = ViewPlugin.fromClass(
  class {
    decorations: DecorationSet;
    #pieces: Highlight[];

    constructor(view: EditorView) {
      this.#pieces = read(view.state);
      this.decorations = decorate(view, this.#pieces);
    }

    update(update: ViewUpdate): void {
      if (update.docChanged) this.#pieces = read(update.state);
      if (update.docChanged || update.viewportChanged || update.selectionSet)
        this.decorations = decorate(update.view, this.#pieces);
    }
  },
  { decorations: (plugin) => plugin.decorations },
);

function read(state: EditorState): Highlight[] {
  return state.doc.length > longest ? [] : highlight(state.doc.toString());
}

function decorate(view: EditorView, pieces: readonly Highlight[]): DecorationSet {
  const builder = new RangeSetBuilder<Decoration>();
  const { from, to } = view.viewport;
  const { empty, head } = view.state.selection.main;
  const text = view.state.doc;
  const pair = empty ? matchParen(pieces, head, (at) => text.sliceString(at, at + 1)) : null;
  for (const piece of pieces) {
    if (piece.end <= from || piece.start >= to) continue;
    const matched = pair?.includes(piece.start) ? ` tok-match${pair.includes(-1) ? '-none' : ''}` : '';
    if (piece.end > piece.start) builder.add(piece.start, piece.end, mark(`tok-${piece.kind}${matched}`));
  }
  return builder.finish();
}

/** Offsets of the parenthesis beside `head` and of its partner; -1 stands for a partner that is missing. */
export function matchParen(
  pieces: readonly Highlight[],
  head: number,
  charAt: (at: number) => string,
): [number, number] | null {
  const at = pieces.findIndex((piece) => piece.kind === 'paren' && (piece.end === head || piece.start === head));
  if (at === -1) return null;
  const step = charAt(pieces[at]!.start) === '(' ? 1 : -1;
  let depth = 0;
  for (let other = at; other >= 0 && other < pieces.length; other += step) {
    const piece = pieces[other]!;
    if (piece.kind !== 'paren') continue;
    depth += (charAt(piece.start) === '(' ? 1 : -1) * step;
    if (depth === 0) return [pieces[at]!.start, piece.start];
  }
  return [pieces[at]!.start, -1];
}

/** How far to indent a line that follows `before`: one past the innermost open parenthesis, as the printer does. */
export function indentOf(before: string): number {
  const open: number[] = [];
  for (const piece of highlight(before)) {
    if (piece.kind !== 'paren') continue;
    if (before[piece.start] === '(') open.push(piece.start);
    else open.pop();
  }
  const at = open.at(-1);
  return at === undefined ? 0 : at - before.lastIndexOf('\n', at);
}
