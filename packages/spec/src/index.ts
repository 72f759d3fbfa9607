export { decodeBytes, encodeText } from './bytes.ts';
export { checkSpec } from './check.ts';
export { formatDiagnostic } from './diagnostics.ts';
export type { Diagnostic, DiagnosticCode } from './diagnostics.ts';
export { toDockerfile } from './dockerfile.ts';
export type { DockerfileOptions } from './docker-options.ts';
export { dockerfileLosses } from './dockerfile-losses.ts';
export { formatSpec } from './format.ts';
export { highlight } from './highlight.ts';
export type { Highlight, HighlightKind } from './highlight.ts';
export type { LintOptions } from './lint.ts';
export { outlineSpec, stageParts } from './outline.ts';
export type { OutlineStep } from './outline.ts';
export { parseSpec } from './parse.ts';
export type { ParseResult } from './parse.ts';
export type { Position, SourceRange } from './position.ts';
export { printAtom, printOp, printSpec, printSpecFilled, printSpecMachine } from './print.ts';
export { opNames, withoutRanges } from './spec.ts';
export type {
  CommentOp,
  CopyOp,
  CopySource,
  EnvOp,
  Mount,
  NestedBuild,
  Op,
  RunOp,
  ShellOp,
  Spec,
  User,
  UserOp,
  WorkdirOp,
} from './spec.ts';
