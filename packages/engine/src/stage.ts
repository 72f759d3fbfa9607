import { printAtom, printOp, stageParts, type CopyOp, type RunOp, type Spec } from '@loam/spec';

import type { StepPlace } from './events.ts';

/** A `run` or `copy` at its place. */
export interface StageStep {
  readonly place: StepPlace;
  readonly op: RunOp | CopyOp;
}

/** A spec or nested spec: a chain of steps on one base. */
export interface Stage {
  /** `''` for the outermost, else names joined by `/`. */
  readonly path: string;
  readonly spec: Spec;
  readonly from: StepPlace;
  readonly steps: readonly StageStep[];
  /** Nested builds that its copies may name: its own, and those before it in the builds around it. */
  readonly scope: ReadonlyMap<string, Stage>;
  readonly nested: readonly Stage[];
}

/** The stages of a spec. */
export function stagesOf(spec: Spec): Stage {
  return stageOf(spec, '', new Map());
}

/** Every step of a spec with its position: nested builds first, as they stand, then the spec's own steps. */
export function outline(spec: Spec): StepPlace[] {
  return stagesInOrder(stagesOf(spec)).flatMap((stage) => [stage.from, ...stage.steps.map((step) => step.place)]);
}

export function stagesInOrder(stage: Stage): Stage[] {
  return [...stage.nested.flatMap(stagesInOrder), stage];
}

function stageOf(spec: Spec, path: string, outer: ReadonlyMap<string, Stage>): Stage {
  const scope = new Map(outer);
  const nested = stageParts(spec).map(([part, build]) => {
    const stage = stageOf(build.spec, path === '' ? part : `${path}/${part}`, scope);
    // Two builds may have one name, and the later one hides the earlier one.
    scope.set(build.name, stage);
    return stage;
  });
  const position = (index: number): string => (path === '' ? String(index) : `${path}/${index}`);
  const steps: StageStep[] = [];
  for (const op of spec.ops) {
    if (op.kind !== 'run' && op.kind !== 'copy') continue;
    const place = { position: position(steps.length + 1), stage: path, kind: op.kind, op: printOp(op) };
    steps.push({ place, op });
  }
  const from: StepPlace = { position: position(0), stage: path, kind: 'from', op: `(from ${printAtom(spec.from)})` };
  return { path, spec, from, steps, scope, nested };
}
