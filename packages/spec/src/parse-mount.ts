import type { OpContext } from './op-context.ts';
import { stringField } from './op-context.ts';
import type { SexpNode } from './reader.ts';
import { headOf, onlyValue, quoteNode, readRecord } from './record.ts';
import type { Field } from './record.ts';
import type { Mount } from './spec.ts';

/** The caches or secrets of `(run …)`. */
export function readMounts(ctx: OpContext, what: 'cache' | 'secret', field: Field | undefined): Mount[] | undefined {
  if (field === undefined) return [];
  const mounts = field.values.map((node) => readMount(ctx, what, node));
  return mounts.includes(undefined) ? undefined : (mounts as Mount[]);
}

function readMount(ctx: OpContext, what: 'cache' | 'secret', node: SexpNode): Mount | undefined {
  const head = headOf(node);
  const form = '(ID (target PATH) (buildkit_options ((KEY VALUE)…))?)';
  if (head === undefined || node.kind !== 'list') {
    ctx.bag.error('spec.bad-value', node.start, node.end, {
      message: `A ${what} is written (ID (target PATH)), not \`${quoteNode(ctx, node)}\`.`,
      found: quoteNode(ctx, node),
      expected: form,
    });
    return undefined;
  }
  const shape = { what, fields: ['target', 'buildkit_options'], required: ['target'], form };
  const { fields, sound } = readRecord(ctx, shape, node, node.items.slice(1));
  const target = stringField(ctx, fields.get('target'));
  const buildkitOptions = readOptions(ctx, fields.get('buildkit_options'));
  if (!sound || target === undefined || buildkitOptions === undefined) return undefined;
  return { id: head.value, target, buildkitOptions, range: ctx.lines.range(node.start, node.end) };
}

function readOptions(ctx: OpContext, field: Field | undefined): [string, string][] | undefined {
  if (field === undefined) return [];
  const expected = '(buildkit_options ((KEY VALUE)…))';
  const list = onlyValue(ctx, field, expected);
  if (list === undefined) return undefined;
  const options: [string, string][] = [];
  for (const pair of list.kind === 'list' ? list.items : [list]) {
    const [key, value] = pair.kind === 'list' ? pair.items : [];
    if (list.kind !== 'list' || pair.kind !== 'list' || pair.items.length !== 2 || !bothAtoms(key, value)) {
      ctx.bag.error('spec.bad-value', pair.start, pair.end, {
        message: `BuildKit options are pairs of a key and a value, not \`${quoteNode(ctx, pair)}\`.`,
        found: quoteNode(ctx, pair),
        expected,
      });
      return undefined;
    }
    options.push([(key as { value: string }).value, (value as { value: string }).value]);
  }
  return options;
}

function bothAtoms(a: SexpNode | undefined, b: SexpNode | undefined): boolean {
  return a?.kind === 'atom' && b?.kind === 'atom';
}
