import type { SourceRange } from './position.ts';

/*
 * A spec as a value. Ranges say where in the source a node stands; a spec built by a program has none, and nothing
 * that gives a spec its meaning may depend on them. Strings follow the byte scheme of `bytes.ts`.
 */

/** `((build NAME SPEC)… (from BASE) OP…)` */
export interface Spec {
  /** Nested builds, in order; a later one may use an earlier one. */
  readonly builds: readonly NestedBuild[];
  /** The image to begin with. */
  readonly from: string;
  readonly ops: readonly Op[];
  readonly range?: SourceRange;
  readonly fromRange?: SourceRange;
}

/** `(build NAME SPEC)` */
export interface NestedBuild {
  readonly name: string;
  readonly spec: Spec;
  readonly range?: SourceRange;
}

export type Op = CommentOp | WorkdirOp | ShellOp | RunOp | CopyOp | UserOp | EnvOp;

/** `(comment TEXT)`: shown, never run. */
export interface CommentOp {
  readonly kind: 'comment';
  readonly text: string;
  readonly range?: SourceRange;
}

/** `(workdir DIR)` */
export interface WorkdirOp {
  readonly kind: 'workdir';
  readonly path: string;
  readonly range?: SourceRange;
}

/** `(shell ARG…)`: what later commands are handed to. */
export interface ShellOp {
  readonly kind: 'shell';
  readonly args: readonly string[];
  readonly range?: SourceRange;
}

/** `(run (cache CACHE…) (network NETWORK…) (secrets SECRET…) (shell COMMAND))` */
export interface RunOp {
  readonly kind: 'run';
  readonly cache: readonly Mount[];
  readonly network: readonly string[];
  readonly secrets: readonly Mount[];
  readonly shell: string;
  readonly range?: SourceRange;
}

/** `(ID (target PATH) (buildkit_options ((KEY VALUE)…)))`: a cache or a secret to mount. */
export interface Mount {
  readonly id: string;
  readonly target: string;
  /** Passed on to Dockerfiles, without meaning to us. */
  readonly buildkitOptions: readonly (readonly [key: string, value: string])[];
  readonly range?: SourceRange;
}

/** `(copy (from SOURCE) (src PATH…) (dst PATH) (exclude NAME…))` */
export interface CopyOp {
  readonly kind: 'copy';
  readonly from: CopySource;
  readonly src: readonly string[];
  readonly dst: string;
  readonly exclude: readonly string[];
  readonly range?: SourceRange;
}

/** The build's context, or the root of a nested build. */
export type CopySource =
  | { readonly kind: 'context'; readonly range?: SourceRange }
  | { readonly kind: 'build'; readonly name: string; readonly range?: SourceRange };

/** `(user (uid UID) (gid GID))` or `(user (name NAME))` */
export interface UserOp {
  readonly kind: 'user';
  readonly user: User;
  readonly range?: SourceRange;
}

/** Ids are canonical decimals: OCaml's integers have 63 bits, more than a number holds exactly. */
export type User =
  | { readonly kind: 'unix'; readonly uid: string; readonly gid: string }
  | { readonly kind: 'windows'; readonly name: string };

/** `(env NAME VALUE)` */
export interface EnvOp {
  readonly kind: 'env';
  readonly name: string;
  readonly value: string;
  readonly range?: SourceRange;
}

/** The operations of the language, as written. */
export const opNames = ['comment', 'workdir', 'shell', 'run', 'copy', 'user', 'env'] as const;

/** The same spec without source ranges: what two texts with the same meaning have in common. */
export function withoutRanges(spec: Spec): Spec {
  return JSON.parse(JSON.stringify(spec, (key, value: unknown) => (isRangeKey(key) ? undefined : value))) as Spec;
}

function isRangeKey(key: string): boolean {
  return key === 'range' || key === 'fromRange';
}
