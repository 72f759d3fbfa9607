import type { DiagnosticBag } from './diagnostics.ts';
import type { SexpNode } from './reader.ts';
import type { CopyOp, NestedBuild, RunOp, Spec } from './spec.ts';
import { nearest } from './suggestion.ts';

/** What advice may take into account beside the spec itself. */
export interface LintOptions {
  /** Ids of the secrets that will be there; when given, the use of any other one is worth a warning. */
  readonly secrets?: Iterable<string>;
}

/** Warns of what is allowed and probably not meant. */
export function lintSpec(spec: Spec, tree: SexpNode, text: string, bag: DiagnosticBag, options: LintOptions): void {
  const secrets = options.secrets === undefined ? undefined : new Set(options.secrets);
  lintStage(spec, bag, secrets, []);
  lintEscapes(tree, text, bag);
}

/** One spec of the nest. `users` are sets of builds in sight, innermost last, that get the builds in use removed. */
function lintStage(
  spec: Spec,
  bag: DiagnosticBag,
  secrets: Set<string> | undefined,
  users: Map<string, NestedBuild>[],
) {
  const unused = new Map<string, NestedBuild>();
  const inSight = [...users, unused];
  for (const build of spec.builds) {
    lintStage(build.spec, bag, secrets, inSight);
    const hidden = unused.get(build.name);
    if (hidden?.range !== undefined) {
      bag.warn('lint.shadowed-build', hidden.range, {
        message: `The nested build \`${build.name}\` is built in vain: another of that name follows.`,
        hint: 'Give one of them another name.',
      });
    }
    unused.set(build.name, build);
  }
  lintBase(spec, bag);
  spec.ops.forEach((op, i) => {
    if (op.kind === 'copy' && op.from.kind === 'build') markUsed(inSight, op.from.name);
    if (op.kind === 'copy') lintCopyAll(op, spec.ops.slice(i + 1, i + 20), bag);
    if (op.kind === 'run' && secrets !== undefined) lintSecrets(op, secrets, bag);
  });
  for (const build of unused.values()) {
    if (build.range === undefined) continue;
    bag.warn('lint.unused-build', build.range, {
      message: `Nothing is copied from the nested build \`${build.name}\`; it is built all the same.`,
      hint: `Remove it, or add (copy (from (build ${build.name})) …).`,
    });
  }
}

function markUsed(inSight: readonly Map<string, NestedBuild>[], name: string): void {
  inSight.findLast((builds) => builds.has(name))?.delete(name);
}

function lintBase(spec: Spec, bag: DiagnosticBag): void {
  if (spec.fromRange === undefined || /@[a-z0-9]+:[0-9a-f]{32,}$/i.test(spec.from)) return;
  const tagged = /:[^/]+$/.test(spec.from);
  bag.warn('lint.unpinned-base', spec.fromRange, {
    message: tagged
      ? `The tag of \`${spec.from}\` may come to mean another image.`
      : `\`${spec.from}\` means whatever image is the latest.`,
    hint: 'Name the image by digest, as in NAME@sha256:…, to always build on the same one.',
  });
}

/** Commands that take long and depend on a few files only. */
const slowCommand = /\b(install|restore|update|upgrade|fetch|download|depext|vcpkg|nuget|npm ci|pip|cargo|go mod)\b/;

function lintCopyAll(op: CopyOp, later: Spec['ops'], bag: DiagnosticBag): void {
  const all = op.from.kind === 'context' && op.src.some((path) => /^\.[/\\]*$/.test(path)) && op.exclude.length === 0;
  const slow = later.some((next) => next.kind === 'run' && (next.cache.length > 0 || slowCommand.test(next.shell)));
  if (!all || !slow || op.range === undefined) return;
  bag.warn('lint.copy-all', op.range, {
    message: 'Every change to any file of the context repeats the slow steps after this copy.',
    hint: 'Copy what those steps need first and the rest after them, or add (exclude .git …).',
  });
}

function lintSecrets(op: RunOp, secrets: Set<string>, bag: DiagnosticBag): void {
  for (const secret of op.secrets) {
    const range = secret.range ?? op.range;
    if (secrets.has(secret.id) || range === undefined) continue;
    const meant = nearest(secret.id, secrets);
    bag.warn('lint.unknown-secret', range, {
      message: `There is no secret \`${secret.id}\`; the build will fail at this step.`,
      found: secret.id,
      ...(secrets.size > 0 && { expected: [...secrets].slice(0, 20).join(', ') }),
      ...(meant !== undefined && { hint: `Did you mean \`${meant}\`?` }),
    });
  }
}

/**
 * A drive and then a backslash that reads as an escape: `"C:\temp"` has a tab in it. Lengths are bounded, and no
 * separator can be matched two ways, so that no string takes long.
 */
const brokenPath =
  /\b[A-Za-z]:(?:(?:\\\\|\\[^\\\s"'ntbrx0-9]|\/)[^\\/\s"']{0,100}){0,30}?\\(?:[ntbr]|x[0-9a-fA-F]{2}|[0-9]{3})/;

function lintEscapes(tree: SexpNode, text: string, bag: DiagnosticBag): void {
  const pending: SexpNode[] = [tree];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (node.kind === 'list') {
      for (const item of node.items) pending.push(item);
      continue;
    }
    if (!node.quoted) continue;
    const match = brokenPath.exec(text.slice(node.start, node.end));
    if (match === null) continue;
    const start = node.start + match.index;
    const escape = /\\[^\\]\w{0,2}$/.exec(match[0])?.[0] ?? match[0].slice(-2);
    bag.warn('lint.path-escape', bag.range(start, start + match[0].length), {
      message: `In this path \`${escape.slice(0, 2)}\` is an escape, not a backslash and a letter.`,
      found: match[0],
      hint: 'Write \\\\ for each backslash, or use forward slashes.',
    });
  }
}
