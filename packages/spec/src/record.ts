import type { DiagnosticBag } from './diagnostics.ts';
import type { AtomNode, ListNode, SexpNode } from './reader.ts';
import { nearest } from './suggestion.ts';

/** What conversion needs of the file it works on. */
export interface Source {
  readonly text: string;
  readonly bag: DiagnosticBag;
}

/** A field of a record: `(NAME VALUE…)`. */
export interface Field {
  readonly node: ListNode;
  readonly name: string;
  readonly values: readonly SexpNode[];
}

/** What a record looks like, for reading it and for saying what was expected. */
export interface RecordShape {
  /** As in messages: "run", "cache". */
  readonly what: string;
  readonly fields: readonly string[];
  readonly required: readonly string[];
  /** The whole form, shown when something is missing. */
  readonly form: string;
}

/** A short quotation of a node, on one line. */
export function quoteNode(source: Source, node: SexpNode): string {
  const written = source.text.slice(node.start, Math.min(node.end, node.start + 61)).replaceAll(/\s+/g, ' ');
  return written.length > 60 || node.end - node.start > 61 ? `${written.slice(0, 59)}…` : written;
}

/** The fields of a record in any order; not `sound`, with errors reported, when the record is not whole. */
export function readRecord(
  source: Source,
  shape: RecordShape,
  owner: SexpNode,
  nodes: readonly SexpNode[],
): { fields: Map<string, Field>; sound: boolean } {
  const { bag } = source;
  const fields = new Map<string, Field>();
  const missing = new Set(shape.required);
  let sound = true;
  for (const node of nodes) {
    const head = node.kind === 'list' ? node.items[0] : undefined;
    if (node.kind !== 'list' || head?.kind !== 'atom') {
      sound = false;
      bag.error('spec.bad-value', node.start, node.end, {
        message: `\`${shape.what}\` consists of fields such as (${shape.fields[0]} …); \`${quoteNode(source, node)}\` is none.`,
        found: quoteNode(source, node),
        expected: shape.form,
      });
      continue;
    }
    const name = head.value;
    missing.delete(name);
    if (!shape.fields.includes(name)) {
      sound = false;
      const meant = nearest(name, shape.fields);
      if (meant !== undefined) missing.delete(meant);
      bag.error('spec.unknown-field', head.start, head.end, {
        message: `\`${shape.what}\` has no field \`${name}\`.`,
        found: name,
        expected: shape.fields.join(', '),
        ...(meant !== undefined && { hint: `Did you mean \`${meant}\`?` }),
      });
    } else if (fields.has(name)) {
      sound = false;
      bag.error('spec.duplicate-field', node.start, node.end, {
        message: `The field \`${name}\` of \`${shape.what}\` is given twice.`,
        found: quoteNode(source, node),
        hint: 'Join the two into one.',
      });
    } else fields.set(name, { node, name, values: node.items.slice(1) });
  }
  if (missing.size > 0) {
    sound = false;
    const names = [...missing].map((name) => `(${name} …)`).join(' and ');
    bag.error('spec.missing-field', owner.start, owner.end, {
      message: `\`${shape.what}\` lacks ${names}.`,
      found: quoteNode(source, owner),
      expected: shape.form,
    });
  }
  return { fields, sound };
}

/** The one value that `(NAME VALUE)` holds. */
export function onlyValue(source: Source, field: Field, expected: string): SexpNode | undefined {
  const [value] = field.values;
  if (value !== undefined && field.values.length === 1) return value;
  source.bag.error('spec.wrong-arguments', field.node.start, field.node.end, {
    message: `\`${field.name}\` takes one value, not ${field.values.length}.`,
    found: quoteNode(source, field.node),
    expected,
    ...(field.values.length > 1 && { hint: 'Put a value with blanks in double quotes.' }),
  });
  return undefined;
}

/** The text of a word or a string. */
export function readString(source: Source, node: SexpNode, what: string): string | undefined {
  if (node.kind === 'atom') return node.value;
  source.bag.error('spec.bad-value', node.start, node.end, {
    message: `${what} must be a word or a string, not a list.`,
    found: quoteNode(source, node),
    expected: 'a word or a string',
  });
  return undefined;
}

/** The texts of words or strings; undefined when one is a list. */
export function readStrings(source: Source, nodes: readonly SexpNode[], what: string): string[] | undefined {
  const values = nodes.map((node) => readString(source, node, what));
  return values.includes(undefined) ? undefined : (values as string[]);
}

/** The atom that begins a list, if it is a list and begins with one. */
export function headOf(node: SexpNode): AtomNode | undefined {
  const head = node.kind === 'list' ? node.items[0] : undefined;
  return head?.kind === 'atom' ? head : undefined;
}
