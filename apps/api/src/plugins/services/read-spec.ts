import { LoamError } from '@loam/base';
import { checkSpec, type Diagnostic, type Spec } from '@loam/spec';

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
