import { printAtom, printOp } from './print.ts';
import type { NestedBuild, Spec } from './spec.ts';

/** A step of a spec and where it stands: what the API plans, the engine executes and the UI shows go by one numbering. */
export interface OutlineStep {
  /** Stage path and number: `0`, `3`, `dev/2`, `dev/inner/0`. `from` is 0; of the ops only `run` and `copy` count. */
  readonly position: string;
  /** Names of the nested builds down to the step's own, outermost first; empty for the main stage. */
  readonly stage: readonly string[];
  readonly kind: 'from' | 'run' | 'copy';
  /** The step as the spec's printer writes it. */
  readonly op: string;
}

/** All steps of a spec, in the order in which OBuilder would come to them: nested builds first. Positions are unique. */
export function outlineSpec(spec: Spec): OutlineStep[] {
  const steps: OutlineStep[] = [];
  outlineStage(spec, [], '', steps);
  return steps;
}

function outlineStage(spec: Spec, stage: readonly string[], prefix: string, steps: OutlineStep[]): void {
  for (const [part, nested] of stageParts(spec)) {
    outlineStage(nested.spec, [...stage, nested.name], `${prefix}${part}/`, steps);
  }
  const own: Pick<OutlineStep, 'kind' | 'op'>[] = [{ kind: 'from', op: `(from ${printAtom(spec.from)})` }];
  for (const op of spec.ops) if (op.kind === 'run' || op.kind === 'copy') own.push({ kind: op.kind, op: printOp(op) });
  own.forEach((step, number) => steps.push({ position: `${prefix}${number}`, stage, ...step }));
}

/**
 * Each nested build of a stage with its part of a position: its name, with `/`, `%` and `~` escaped, and `~2`, `~3` behind a
 * name that came before, since the language lets a later build take an earlier one's name.
 */
export function stageParts(spec: Spec): [part: string, nested: NestedBuild][] {
  const seen = new Map<string, number>();
  return spec.builds.map((nested) => {
    const count = (seen.get(nested.name) ?? 0) + 1;
    seen.set(nested.name, count);
    const name = nested.name.replace(/[%/~]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
    return [count === 1 ? name : `${name}~${count}`, nested];
  });
}
