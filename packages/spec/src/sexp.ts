import type { CopyOp, Mount, Op, RunOp, Spec, User } from './spec.ts';

/** An S-expression without positions: what is printed. */
export type Sexp = string | readonly Sexp[];

/** The canonical S-expression of a spec: fields in a fixed order, those that say nothing left out. */
export function sexpOfSpec(spec: Spec): Sexp[] {
  return [
    ...spec.builds.map((build) => ['build', build.name, sexpOfSpec(build.spec)]),
    ['from', spec.from],
    ...spec.ops.map(sexpOfOp),
  ];
}

/** The canonical S-expression of one operation. */
export function sexpOfOp(op: Op): Sexp[] {
  switch (op.kind) {
    case 'comment':
      return ['comment', op.text];
    case 'workdir':
      return ['workdir', op.path];
    case 'shell':
      return ['shell', ...op.args];
    case 'run':
      return ['run', ...runFields(op)];
    case 'copy':
      return ['copy', ...copyFields(op)];
    case 'user':
      return ['user', ...userFields(op.user)];
    case 'env':
      return ['env', op.name, op.value];
  }
}

function runFields(op: RunOp): Sexp[] {
  return [
    ...listField('cache', op.cache.map(sexpOfMount)),
    ...listField('network', op.network),
    ...listField('secrets', op.secrets.map(sexpOfMount)),
    ['shell', op.shell],
  ];
}

function copyFields(op: CopyOp): Sexp[] {
  return [
    ...(op.from.kind === 'build' ? [['from', ['build', op.from.name]]] : []),
    ['src', ...op.src],
    ['dst', op.dst],
    ...listField('exclude', op.exclude),
  ];
}

function userFields(user: User): Sexp[] {
  if (user.kind === 'windows') return [['name', user.name]];
  return [
    ['uid', user.uid],
    ['gid', user.gid],
  ];
}

function sexpOfMount(mount: Mount): Sexp {
  return [
    mount.id,
    ['target', mount.target],
    ...(mount.buildkitOptions.length > 0 ? [['buildkit_options', mount.buildkitOptions]] : []),
  ];
}

function listField(name: string, values: readonly Sexp[]): Sexp[] {
  return values.length > 0 ? [[name, ...values]] : [];
}
