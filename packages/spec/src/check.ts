import { decodeBytes } from './bytes.ts';
import { DiagnosticBag } from './diagnostics.ts';
import { lintSpec } from './lint.ts';
import type { LintOptions } from './lint.ts';
import { parseTree } from './parse.ts';
import type { ParseResult } from './parse.ts';
import { LineTable } from './position.ts';

/** As `parseSpec`, and if there is nothing wrong, with warnings of what is probably not meant. */
export function checkSpec(source: string | Uint8Array, options: LintOptions = {}): ParseResult {
  const text = typeof source === 'string' ? source : decodeBytes(source);
  const lines = new LineTable(text);
  const bag = new DiagnosticBag(lines);
  const { spec, tree } = parseTree(text, lines, bag);
  if (spec === undefined || tree === undefined) return { diagnostics: bag.sorted() };
  lintSpec(spec, tree, text, bag, options);
  return { spec, diagnostics: bag.sorted() };
}
