import { checkSpec, printAtom, printOp, type Diagnostic, type Spec } from '@loam/spec';
import { LoamError } from '@loam/base';
import type { PlannedStepJson } from '@loam/db';

/**
 * The steps of a spec in the order in which they are written, nested builds before what uses them. Positions are those of
 * the engine: the stage's path, then a number that counts `from` (0), `run` and `copy`.
 */
export function outlineSpec(spec: Spec, stage: readonly string[] = []): PlannedStepJson[] {
  const steps = spec.builds.flatMap((build) => outlineSpec(build.spec, [...stage, build.name]));
  const place = (number: number) => ({ position: [...stage, number].join('/'), stage: [...stage] });
  steps.push({ ...place(0), kind: 'from', op: `(from ${printAtom(spec.from)})` });
  let number = 0;
  for (const op of spec.ops) {
    if (op.kind === 'run' || op.kind === 'copy') steps.push({ ...place(++number), kind: op.kind, op: printOp(op) });
  }
  return steps;
}

/** Ids of the secrets that a spec's commands ask for. */
export function secretsOf(spec: Spec): Set<string> {
  const ids = new Set(spec.builds.flatMap((build) => [...secretsOf(build.spec)]));
  for (const op of spec.ops) if (op.kind === 'run') for (const secret of op.secrets) ids.add(secret.id);
  return ids;
}

/** Whether any step reads files of the project. */
export function readsContext(spec: Spec): boolean {
  return (
    spec.ops.some((op) => op.kind === 'copy' && op.from.kind === 'context') ||
    spec.builds.some((build) => readsContext(build.spec))
  );
}

/** The error about a wrong spec, with everything that is wrong about it. */
export type SpecError = LoamError & { readonly diagnostics: readonly Diagnostic[] };

function specError(diagnostics: readonly Diagnostic[]): SpecError {
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'error');
  const [first] = errors;
  const error = LoamError.of('api.spec-invalid', {
    count: errors.length === 1 ? 'an error' : `${errors.length} errors, the first`,
    line: first?.range.start.line ?? 1,
    column: first?.range.start.column ?? 1,
    first: first?.message ?? '',
  });
  return Object.assign(error, { diagnostics });
}

/** Reads a spec; what it returns beside the spec are warnings. Throws a `SpecError`. */
export function requireSpec(text: string, secrets?: Iterable<string>): { spec: Spec; warnings: readonly Diagnostic[] } {
  const { spec, diagnostics } = checkSpec(text, secrets === undefined ? {} : { secrets });
  if (spec === undefined) throw specError(diagnostics);
  return { spec, warnings: diagnostics };
}
