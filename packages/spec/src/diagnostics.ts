import type { LineTable, SourceRange } from './position.ts';

/** Every code a diagnostic can carry. `read.*`: not an S-expression; `spec.*`: not a spec; `lint.*`: advice. */
export type DiagnosticCode =
  | 'read.unclosed-list'
  | 'read.unexpected-close'
  | 'read.unclosed-string'
  | 'read.unclosed-comment'
  | 'read.bad-escape'
  | 'read.comment-in-atom'
  | 'read.empty-datum-comment'
  | 'read.stray-carriage-return'
  | 'read.too-many-expressions'
  | 'read.byte-order-mark'
  | 'read.too-deep'
  | 'read.nothing'
  | 'spec.not-a-list'
  | 'spec.unexpected-item'
  | 'spec.missing-from'
  | 'spec.unknown-op'
  | 'spec.wrong-arguments'
  | 'spec.unknown-field'
  | 'spec.duplicate-field'
  | 'spec.missing-field'
  | 'spec.bad-value'
  | 'spec.unknown-build'
  | 'lint.unpinned-base'
  | 'lint.path-escape'
  | 'lint.copy-all'
  | 'lint.unused-build'
  | 'lint.shadowed-build'
  | 'lint.unknown-secret'
  | 'dockerfile.loss';

/** Something to tell the author of a spec, with the place it is about. */
export interface Diagnostic {
  readonly severity: 'error' | 'warning';
  readonly code: DiagnosticCode;
  /** One or two sentences, complete without the other fields. */
  readonly message: string;
  readonly range: SourceRange;
  /** What stands there. */
  readonly found?: string;
  /** What could stand there. */
  readonly expected?: string;
  /** What to do about it. */
  readonly hint?: string;
}

/** The parts of a diagnostic beside its place. */
export interface Complaint {
  readonly message: string;
  readonly found?: string;
  readonly expected?: string;
  readonly hint?: string;
}

/** Diagnostics kept of one file; after that many the rest is noise, and a hostile file must not cost memory. */
export const maxDiagnostics = 100;

/** Collects the diagnostics of one file. */
export class DiagnosticBag {
  readonly items: Diagnostic[] = [];
  readonly #lines: LineTable;

  constructor(lines: LineTable) {
    this.#lines = lines;
  }

  get full(): boolean {
    return this.items.length >= maxDiagnostics;
  }

  get failed(): boolean {
    return this.items.some((item) => item.severity === 'error');
  }

  error(code: DiagnosticCode, start: number, end: number, complaint: Complaint): void {
    if (!this.full) this.items.push({ severity: 'error', code, range: this.#lines.range(start, end), ...complaint });
  }

  warn(code: DiagnosticCode, range: SourceRange, complaint: Complaint): void {
    if (!this.full) this.items.push({ severity: 'warning', code, range, ...complaint });
  }

  range(start: number, end: number): SourceRange {
    return this.#lines.range(start, end);
  }

  /** In the order of the file. */
  sorted(): Diagnostic[] {
    return this.items.toSorted((a, b) => a.range.start.offset - b.range.start.offset);
  }
}

/** `file:line:column: error: message`, the line it is about with a marker below it, and the hint. */
export function formatDiagnostic(diagnostic: Diagnostic, text: string, file = 'spec'): string {
  const { start, end } = diagnostic.range;
  const lineStart = start.offset - (start.column - 1);
  const newline = text.indexOf('\n', lineStart);
  const line = text.slice(lineStart, newline === -1 ? text.length : newline).replace(/\r$/, '');
  const from = Math.max(0, start.column - 1 - 60);
  const shown = line.slice(from, from + 120).replaceAll('\t', ' ');
  const width = end.line === start.line ? end.column - start.column : line.length - (start.column - 1);
  const marker = ' '.repeat(start.column - 1 - from) + '^'.repeat(Math.max(1, Math.min(width, 60)));
  const lines = [
    `${file}:${start.line}:${start.column}: ${diagnostic.severity}: ${diagnostic.message} [${diagnostic.code}]`,
    `  ${shown}`,
    `  ${marker}`,
  ];
  if (diagnostic.hint !== undefined) lines.push(`  hint: ${diagnostic.hint}`);
  return lines.join('\n');
}
