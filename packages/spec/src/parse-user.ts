import { readOcamlInt } from './integer.ts';
import { wrongArguments } from './op-context.ts';
import type { OpContext } from './op-context.ts';
import type { ListNode, SexpNode } from './reader.ts';
import { headOf, quoteNode, readString } from './record.ts';
import type { Op } from './spec.ts';

/**
 * The fields of `(user …)`. OBuilder insists on uid before gid; we take them in either order, as in any other record.
 */
export function readUser(ctx: OpContext, node: ListNode, items: readonly SexpNode[]): Op | undefined {
  const values = new Map<string, SexpNode>();
  for (const item of items) {
    const value = item.kind === 'list' && item.items.length === 2 ? item.items[1] : undefined;
    const name = headOf(item)?.value;
    if (value !== undefined && name !== undefined) values.set(name, value);
  }
  const [name, uid, gid] = [values.get('name'), values.get('uid'), values.get('gid')];
  if (items.length === 1 && name !== undefined) {
    const user = readString(ctx, name, 'The name of a user');
    return user === undefined ? undefined : { kind: 'user', user: { kind: 'windows', name: user } };
  }
  if (items.length === 2 && uid !== undefined && gid !== undefined) {
    const uidValue = readId(ctx, 'uid', uid);
    const gidValue = readId(ctx, 'gid', gid);
    if (uidValue === undefined || gidValue === undefined) return undefined;
    return { kind: 'user', user: { kind: 'unix', uid: uidValue, gid: gidValue } };
  }
  wrongArguments(ctx, node, 'user', '`user` takes either a uid and a gid, or a name.', hintFor(items));
  return undefined;
}

function hintFor(items: readonly SexpNode[]): string | undefined {
  const [item] = items;
  if (items.length === 1 && item?.kind === 'atom') return `Did you mean (user (name ${item.value}))?`;
  const heads = items.map((node) => headOf(node)?.value);
  if (items.length === 1 && heads[0] === 'uid') return 'Add (gid …).';
  if (items.length === 1 && heads[0] === 'gid') return 'Add (uid …).';
  return undefined;
}

function readId(ctx: OpContext, what: 'uid' | 'gid', node: SexpNode): string | undefined {
  const value = node.kind === 'atom' ? readOcamlInt(node.value) : undefined;
  if (value !== undefined) return value;
  ctx.bag.error('spec.bad-value', node.start, node.end, {
    message: `\`${what}\` must be an integer, not \`${quoteNode(ctx, node)}\`.`,
    found: quoteNode(ctx, node),
    expected: 'an integer of at most 63 bits, such as 1000',
    ...(node.kind === 'atom' &&
      !/^[-+0-9]/.test(node.value) && { hint: 'Names go in (user (name NAME)), on Windows.' }),
  });
  return undefined;
}
