import { basename, resolve } from 'node:path';

import { LoamError } from '@loam/base';
import { checkSpec, decodeBytes, formatDiagnostic, type Diagnostic, type Spec } from '@loam/spec';

import type { CliContext } from '../context.ts';
import { readInput } from '../user-file.ts';

/** A spec as the user gave it. */
export interface SpecText {
  /** How messages call it. */
  readonly name: string;
  readonly text: string;
}

/** Reads a spec from a file, or from standard input for `-`. */
export async function readSpecText(cli: CliContext, file: string): Promise<SpecText> {
  if (file === '-') return { name: '<stdin>', text: decodeBytes(await cli.io.readStdin()) };
  return { name: file, text: decodeBytes(await readInput(resolve(cli.io.cwd, file))) };
}

/**
 * Parses a spec for a build: shows what would make it fail on standard error, and throws when it cannot be built at all. Advice
 * is left to `loam spec check`.
 */
export function requireSpec(cli: CliContext, source: SpecText, secretIds?: readonly string[]): Spec {
  const { spec, diagnostics } = checkSpec(source.text, secretIds && { secrets: secretIds });
  const grave = diagnostics.filter((item) => item.severity === 'error' || item.code === 'lint.unknown-secret');
  cli.io.err(formatDiagnostics(cli, source, grave));
  if (spec) return spec;
  const count = diagnostics.filter((item) => item.severity === 'error').length;
  throw LoamError.of('cli.spec-invalid', { file: basename(source.name), count });
}

/** As a compiler prints them: place, message, the line with a marker below, and what to do. */
export function formatDiagnostics(cli: CliContext, source: SpecText, diagnostics: readonly Diagnostic[]): string {
  const style = cli.style();
  return diagnostics
    .map((item) => {
      const [head = '', ...rest] = formatDiagnostic(item, source.text, source.name).split('\n');
      const paint = item.severity === 'error' ? style.red : style.yellow;
      const marked = head.replace(`${item.severity}:`, paint(style.bold(`${item.severity}:`)));
      return `${[marked, ...rest].join('\n')}\n`;
    })
    .join('');
}
