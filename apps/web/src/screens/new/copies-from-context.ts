import type { Spec } from '@loam/spec';

/** Whether a spec, or a build nested in it, reads files of the project. */
export function copiesFromContext(spec: Spec): boolean {
  return (
    spec.ops.some((op) => op.kind === 'copy' && op.from.kind === 'context') ||
    spec.builds.some((build) => copiesFromContext(build.spec))
  );
}
