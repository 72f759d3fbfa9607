import type { ResolvedStep } from './step-resolver.ts';

/** Labels of containerd may have 4,096 bytes with their key; an op may have any number. */
const longestOp = 1000;

/** What a snapshot says of the step that made it. */
export function stepLabels(step: ResolvedStep): Record<string, string> {
  const { kind, op } = step.place;
  return { 'loam.kind': kind, 'loam.op': op.length > longestOp ? `${op.slice(0, longestOp)}…` : op };
}
