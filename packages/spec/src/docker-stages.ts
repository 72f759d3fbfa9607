import type { CopyOp, NestedBuild, Spec } from './spec.ts';

/** The names under which a Dockerfile knows the nested builds of a spec. */
export interface Stages {
  nameOf(build: NestedBuild): string;
  /** The stage that a copy with `(from (build …))` reads. */
  nameOfSource(op: CopyOp): string;
}

/**
 * Names the stages of a Dockerfile. A build keeps its name where Docker understands it as the spec does: names are
 * letters, digits, `_`, `-` and `.`, compared without case, seen everywhere, the last of several alike wins, and a stage
 * comes before an image of its name in every FROM after it.
 */
export function nameStages(spec: Spec): Stages {
  const order: NestedBuild[] = [];
  const sources = new Map<CopyOp, NestedBuild>();
  collect(spec, [], order, sources);

  const groups = new Map<string, NestedBuild[]>();
  for (const build of order) {
    const key = build.name.toLowerCase();
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [build]);
    else group.push(build);
  }
  const used = new Set(sources.values());
  /** Where each base image is written last. */
  const lastAsBase = new Map([...order, { spec }].map((stage, at) => [stage.spec.from.toLowerCase(), at]));
  const place = new Map(order.map((build, at) => [build, at]));
  const taken = new Set([...groups.keys(), ...lastAsBase.keys()]);
  const names = new Map<NestedBuild, string>();
  for (const [key, group] of groups) {
    const asBase = lastAsBase.get(key) ?? 0;
    for (const build of group) {
      const hidden = build !== group.at(-1) && used.has(build);
      const keep = /^[A-Za-z][\w.-]*$/.test(build.name) && !hidden && (place.get(build) ?? 0) >= asBase;
      names.set(build, keep ? build.name : freeName(build.name, taken));
    }
  }
  return {
    nameOf: (build) => names.get(build) ?? build.name,
    nameOfSource: (op) => {
      const build = sources.get(op);
      return build === undefined ? (op.from.kind === 'build' ? op.from.name : '') : (names.get(build) ?? build.name);
    },
  };
}

/** Builds in the order their stages are written, and which of them each copy means. */
function collect(
  spec: Spec,
  scopes: Map<string, NestedBuild>[],
  order: NestedBuild[],
  sources: Map<CopyOp, NestedBuild>,
): void {
  const own = new Map<string, NestedBuild>();
  scopes.push(own);
  for (const build of spec.builds) {
    collect(build.spec, scopes, order, sources);
    order.push(build);
    own.set(build.name, build);
  }
  for (const op of spec.ops) {
    if (op.kind !== 'copy' || op.from.kind !== 'build') continue;
    const { name } = op.from;
    const source = scopes.findLast((scope) => scope.has(name))?.get(name);
    if (source !== undefined) sources.set(op, source);
  }
  scopes.pop();
}

function freeName(name: string, taken: Set<string>): string {
  const clean = name.toLowerCase().replaceAll(/[^a-z0-9_.-]+/g, '-');
  const stem = /^[a-z]/.test(clean) ? clean : `build-${clean}`;
  let candidate = stem;
  for (let i = 2; taken.has(candidate); i++) candidate = `${stem}-${i}`;
  taken.add(candidate);
  return candidate;
}
