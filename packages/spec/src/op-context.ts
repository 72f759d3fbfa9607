import type { LineTable } from './position.ts';
import type { ListNode } from './reader.ts';
import { onlyValue, quoteNode, readString } from './record.ts';
import type { Field, Source } from './record.ts';
import type { opNames } from './spec.ts';

/** What an operation is read against. */
export interface OpContext extends Source {
  readonly lines: LineTable;
  /** The nested builds that a copy may name here. */
  hasBuild(name: string): boolean;
  buildNames(): Iterable<string>;
}

/** The form of each operation, as shown in messages. */
export const opForms: Record<(typeof opNames)[number], string> = {
  comment: '(comment TEXT)',
  workdir: '(workdir DIR)',
  shell: '(shell ARG…)',
  run: '(run (cache …)? (network …)? (secrets …)? (shell COMMAND))',
  copy: '(copy (from …)? (src PATH…) (dst PATH) (exclude NAME…)?)',
  user: '(user (uid UID) (gid GID)) or (user (name NAME))',
  env: '(env NAME VALUE)',
};

/** Reports that an operation does not have the form it should have. */
export function wrongArguments(
  ctx: OpContext,
  node: ListNode,
  name: keyof typeof opForms,
  message: string,
  hint?: string,
): void {
  ctx.bag.error('spec.wrong-arguments', node.start, node.end, {
    message,
    found: quoteNode(ctx, node),
    expected: opForms[name],
    ...(hint !== undefined && { hint }),
  });
}

/** The one string that a field holds. */
export function stringField(ctx: OpContext, field: Field | undefined): string | undefined {
  if (field === undefined) return undefined;
  const value = onlyValue(ctx, field, `(${field.name} VALUE)`);
  return value === undefined ? undefined : readString(ctx, value, `The value of \`${field.name}\``);
}
