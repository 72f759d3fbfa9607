import type { OpContext } from './op-context.ts';
import { opForms, stringField } from './op-context.ts';
import type { ListNode, SexpNode } from './reader.ts';
import { headOf, onlyValue, quoteNode, readRecord, readStrings } from './record.ts';
import type { Field, RecordShape } from './record.ts';
import type { CopySource, Op } from './spec.ts';
import { nearest } from './suggestion.ts';

const copyShape: RecordShape = {
  what: 'copy',
  fields: ['from', 'src', 'dst', 'exclude'],
  required: ['src', 'dst'],
  form: opForms.copy,
};

/** The fields of `(copy …)`. */
export function readCopy(ctx: OpContext, node: ListNode, items: readonly SexpNode[]): Op | undefined {
  const { fields, sound } = readRecord(ctx, copyShape, node, items);
  const from = readCopySource(ctx, fields.get('from'));
  const src = readStrings(ctx, fields.get('src')?.values ?? [], 'A source path');
  const dst = stringField(ctx, fields.get('dst'));
  const exclude = readStrings(ctx, fields.get('exclude')?.values ?? [], 'A name to exclude');
  if (!sound || from === undefined || src === undefined || dst === undefined || exclude === undefined) return undefined;
  return { kind: 'copy', from, src, dst, exclude };
}

function readCopySource(ctx: OpContext, field: Field | undefined): CopySource | undefined {
  if (field === undefined) return { kind: 'context' };
  const expected = '(from context) or (from (build NAME))';
  const value = onlyValue(ctx, field, expected);
  if (value === undefined) return undefined;
  const range = ctx.lines.range(value.start, value.end);
  if (value.kind === 'atom' && value.value === 'context') return { kind: 'context', range };
  const name = headOf(value)?.value === 'build' && value.kind === 'list' ? value.items[1] : undefined;
  if (value.kind === 'list' && value.items.length === 2 && name?.kind === 'atom') {
    if (!ctx.hasBuild(name.value)) unknownBuild(ctx, name.value, name);
    return { kind: 'build', name: name.value, range };
  }
  ctx.bag.error('spec.bad-value', value.start, value.end, {
    message: `\`copy\` copies from the context or from a nested build, not from \`${quoteNode(ctx, value)}\`.`,
    found: quoteNode(ctx, value),
    expected,
    ...(value.kind === 'atom' && ctx.hasBuild(value.value) && { hint: `Did you mean (build ${value.value})?` }),
  });
  return undefined;
}

function unknownBuild(ctx: OpContext, name: string, node: SexpNode): void {
  const names = [...new Set(ctx.buildNames())];
  const meant = nearest(name, names);
  ctx.bag.error('spec.unknown-build', node.start, node.end, {
    message: `There is no nested build \`${name}\` to copy from here.`,
    found: name,
    expected: names.length === 0 ? 'the name of a nested build; there are none' : names.slice(0, 20).join(', '),
    hint:
      meant !== undefined
        ? `Did you mean \`${meant}\`?`
        : 'A nested build is seen by what follows it in the same spec, and by builds nested in that.',
  });
}
