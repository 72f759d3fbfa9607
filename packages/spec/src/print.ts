import { encodeText } from './bytes.ts';
import { Layout } from './layout.ts';
import { sexpOfOp, sexpOfSpec } from './sexp.ts';
import type { Sexp } from './sexp.ts';
import type { Op, Spec } from './spec.ts';

/** A spec without any layout, on one line of ASCII: the form to hash and to send. */
export function printSpecMachine(spec: Spec): string {
  const out: string[] = [];
  writeMachine(sexpOfSpec(spec), false, out);
  return out.join('');
}

/** A spec laid out for people, one operation a line or more, as OBuilder prints it. No line end after the last line. */
export function printSpec(spec: Spec): string {
  const layout = new Layout();
  layout.text('(');
  layout.open('vbox');
  separated(layout, sexpOfSpec(spec), 0, layoutOp);
  layout.close();
  layout.break(0);
  layout.text(')');
  return layout.finish();
}

/** A spec laid out as any S-expression, filling lines. */
export function printSpecFilled(spec: Spec): string {
  const layout = new Layout();
  layoutFilled(layout, sexpOfSpec(spec));
  return layout.finish();
}

/** One operation as the heading of its step shows it. */
export function printOp(op: Op): string {
  const layout = new Layout();
  layoutOp(layout, sexpOfOp(op));
  return layout.finish();
}

/** An atom as it must be written to be read again: bare if it can be, in quotes otherwise. */
export function printAtom(value: string): string {
  return needsQuotes(value) ? `"${escape(value)}"` : value;
}

function layoutOp(layout: Layout, sexp: Sexp): void {
  const [head, name, third] = Array.isArray(sexp) ? (sexp as readonly Sexp[]) : [];
  if (typeof sexp === 'string') layoutOneLine(layout, sexp);
  else if (head === 'build' && typeof name === 'string' && sexp.length === 3 && typeof third !== 'string') {
    layout.text('(build ');
    layout.open('vbox');
    layoutAtom(layout, name);
    layout.break(0);
    layout.text('(');
    layout.open('vbox');
    separated(layout, third ?? [], 0, layoutOp);
    layout.close();
    layout.text(')');
    layout.close();
    layout.text(')');
  } else if (head === 'copy' || head === 'run') {
    layout.text(`(${head} `);
    layout.open(head === 'copy' ? 'hvbox' : 'vbox');
    separated(layout, sexp.slice(1), head === 'copy' ? 1 : 0, layoutOneLine);
    layout.close();
    layout.text(')');
  } else layoutOneLine(layout, sexp);
}

function layoutOneLine(layout: Layout, sexp: Sexp): void {
  layout.open('hbox');
  layoutPlain(layout, sexp);
  layout.close();
}

function layoutPlain(layout: Layout, sexp: Sexp): void {
  if (typeof sexp === 'string') {
    layoutAtom(layout, sexp);
    return;
  }
  layout.text('(');
  separated(layout, sexp, 1, layoutPlain);
  layout.text(')');
}

function layoutFilled(layout: Layout, sexp: Sexp): void {
  if (typeof sexp === 'string') layoutAtom(layout, sexp);
  else if (sexp.length === 0) layout.text('()');
  else {
    layout.open('box', 1);
    layout.text('(');
    separated(layout, sexp, 1, layoutFilled);
    layout.text(')');
    layout.close();
  }
}

function separated(
  layout: Layout,
  items: readonly Sexp[],
  width: 0 | 1,
  each: (layout: Layout, sexp: Sexp) => void,
): void {
  items.forEach((item, i) => {
    if (i > 0) layout.break(width);
    each(layout, item);
  });
}

/** A string of several lines takes several, each after a `\` and lined up under the first. */
function layoutAtom(layout: Layout, value: string): void {
  const newline = value.indexOf('\n');
  if (newline === -1 || newline === value.length - 1) {
    layout.text(printAtom(value));
    return;
  }
  layout.open('box');
  layout.text(' "');
  value.split('\n').forEach((line, i) => {
    if (i > 0) {
      layout.text('\\');
      layout.newline();
      layout.text('\\n');
    }
    layout.text(escape(line));
  });
  layout.text('"');
  layout.close();
}

/** Two bare words need a blank between them; a quote or a parenthesis is a boundary by itself. */
function writeMachine(sexp: Sexp, afterWord: boolean, out: string[]): boolean {
  if (typeof sexp === 'string') {
    const bare = !needsQuotes(sexp);
    if (afterWord && bare) out.push(' ');
    out.push(bare ? sexp : `"${escape(sexp)}"`);
    return bare;
  }
  out.push('(');
  let word = false;
  for (const item of sexp) word = writeMachine(item, word, out);
  out.push(')');
  return false;
}

function needsQuotes(value: string): boolean {
  return value === '' || /[^!-~]|["();\\]|#\||\|#/.test(value);
}

function escape(value: string): string {
  if (!/[^ !#-[\]-~]/.test(value)) return value;
  const parts: string[] = [];
  for (const byte of encodeText(value)) {
    const letter = escapeLetters.get(byte);
    if (letter !== undefined) parts.push(letter);
    else if (byte >= 32 && byte < 127) parts.push(String.fromCharCode(byte));
    else parts.push(`\\${byte.toString().padStart(3, '0')}`);
  }
  return parts.join('');
}

const escapeLetters = new Map([
  [34, '\\"'],
  [92, '\\\\'],
  [10, '\\n'],
  [9, '\\t'],
  [13, '\\r'],
  [8, '\\b'],
]);
