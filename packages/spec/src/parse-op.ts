import { opForms, stringField, wrongArguments } from './op-context.ts';
import type { OpContext } from './op-context.ts';
import { readCopy } from './parse-copy.ts';
import { readMounts } from './parse-mount.ts';
import { readUser } from './parse-user.ts';
import type { ListNode, SexpNode } from './reader.ts';
import { headOf, quoteNode, readRecord, readString, readStrings } from './record.ts';
import type { RecordShape } from './record.ts';
import type { Op } from './spec.ts';
import { opNames } from './spec.ts';
import { nearest } from './suggestion.ts';

/** One operation. Undefined, with errors reported, when it is none. */
export function readOp(ctx: OpContext, node: SexpNode): Op | undefined {
  const head = headOf(node);
  if (head === undefined || node.kind !== 'list') {
    ctx.bag.error('spec.unexpected-item', node.start, node.end, {
      message: `An operation such as (run …) is expected here, not \`${quoteNode(ctx, node)}\`.`,
      found: quoteNode(ctx, node),
      expected: opNames.map((name) => `(${name} …)`).join(', '),
    });
    return undefined;
  }
  const op = readArguments(ctx, node, head.value);
  return op === undefined ? undefined : { ...op, range: ctx.lines.range(node.start, node.end) };
}

/**
 * OBuilder capitalises the first letter itself, so `(Workdir x)` is `(workdir x)`; but only the lower-case names of
 * operations with fields are unfolded, so the capitalised ones want their fields in one more pair of parentheses.
 */
function readArguments(ctx: OpContext, node: ListNode, written: string): Op | undefined {
  const name = written.replace(/^[A-Z]/, (letter) => letter.toLowerCase());
  const args = node.items.slice(1);
  switch (name) {
    case 'comment': {
      const text = oneString(ctx, node, args, name);
      return text === undefined ? undefined : { kind: 'comment', text };
    }
    case 'workdir': {
      const path = oneString(ctx, node, args, name);
      return path === undefined ? undefined : { kind: 'workdir', path };
    }
    case 'shell': {
      const words = readStrings(ctx, args, 'An argument of `shell`');
      return words === undefined ? undefined : { kind: 'shell', args: words };
    }
    case 'run':
    case 'copy':
    case 'user':
    case 'env': {
      const items = name === written ? args : foldedArguments(ctx, node, args, name);
      return items === undefined ? undefined : opsWithFields[name](ctx, node, items);
    }
    default:
      return unknownOp(ctx, node, written);
  }
}

const opsWithFields = { run: readRun, copy: readCopy, user: readUser, env: readEnv };

function unknownOp(ctx: OpContext, node: ListNode, written: string): undefined {
  const head = node.items[0] as SexpNode;
  const late = written === 'build' || written === 'from';
  const meant = nearest(written, opNames);
  const hint = late
    ? 'Nested builds stand before the one (from …), operations after it.'
    : runShape.fields.includes(written)
      ? `\`${written}\` is a field of \`run\`.`
      : meant !== undefined && `Did you mean \`${meant}\`?`;
  ctx.bag.error('spec.unknown-op', head.start, head.end, {
    message: late ? `\`${written}\` cannot stand after (from …).` : `There is no operation \`${written}\`.`,
    found: quoteNode(ctx, node),
    expected: opNames.join(', '),
    ...(typeof hint === 'string' && { hint }),
  });
}

function foldedArguments(ctx: OpContext, node: ListNode, args: SexpNode[], name: keyof typeof opsWithFields) {
  const [record] = args;
  if (args.length === 1 && record?.kind === 'list') {
    if (name === 'env' || record.items.every((item) => item.kind === 'list')) return record.items;
  }
  const written = (node.items[0] as SexpNode & { value: string }).value;
  wrongArguments(
    ctx,
    node,
    name,
    `\`${written}\` is not the name of an operation.`,
    `Write \`${name}\` in lower case.`,
  );
  return undefined;
}

function oneString(ctx: OpContext, node: ListNode, args: SexpNode[], name: 'comment' | 'workdir') {
  const [value] = args;
  if (args.length === 1 && value !== undefined) return readString(ctx, value, `The value of \`${name}\``);
  const hint = args.length > 1 ? 'Put a value with blanks in double quotes.' : undefined;
  wrongArguments(ctx, node, name, `\`${name}\` takes one value, not ${args.length}.`, hint);
  return undefined;
}

const runShape: RecordShape = {
  what: 'run',
  fields: ['cache', 'network', 'secrets', 'shell'],
  required: ['shell'],
  form: opForms.run,
};

function readRun(ctx: OpContext, node: ListNode, items: readonly SexpNode[]): Op | undefined {
  const { fields, sound } = readRecord(ctx, runShape, node, items);
  const cache = readMounts(ctx, 'cache', fields.get('cache'));
  const secrets = readMounts(ctx, 'secret', fields.get('secrets'));
  const network = readStrings(ctx, fields.get('network')?.values ?? [], 'A network');
  const shell = stringField(ctx, fields.get('shell'));
  if (!sound || cache === undefined || secrets === undefined || network === undefined || shell === undefined) {
    return undefined;
  }
  return { kind: 'run', cache, network, secrets, shell };
}

function readEnv(ctx: OpContext, node: ListNode, items: readonly SexpNode[]): Op | undefined {
  const [nameNode, valueNode] = items;
  if (items.length !== 2 || nameNode === undefined || valueNode === undefined) {
    const hint = items.length > 2 ? 'Put a value with blanks in double quotes.' : undefined;
    wrongArguments(ctx, node, 'env', `\`env\` takes a name and a value, not ${items.length} arguments.`, hint);
    return undefined;
  }
  const name = readString(ctx, nameNode, 'The name of a variable');
  const value = readString(ctx, valueNode, 'The value of a variable');
  return name === undefined || value === undefined ? undefined : { kind: 'env', name, value };
}
