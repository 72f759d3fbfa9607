import { resolve } from 'node:path';

import { Command, Option } from 'commander';

import { isLoamError, LoamError } from '@loam/base';
import { encodeText, formatSpec, parseSpec, printSpecMachine } from '@loam/spec';

import { readSpecText, requireSpec, type SpecText } from '../build/spec-file.ts';
import type { CliContext } from '../context.ts';
import { exitCodes } from '../exit-code.ts';
import { formatError } from '../output/error.ts';
import { rewriteFile } from '../user-file.ts';

interface FormatOptions {
  readonly write?: boolean;
  readonly check?: boolean;
  readonly compact?: boolean;
}

const help = `
Changes blanks and line breaks, nothing else: comments, empty lines between groups (one at most), the order of fields, the
spelling of words and strings, and the file's line ends (LF or CRLF) stay.

  loam spec fmt my.spec                  print it laid out
  loam spec fmt --write my.spec          lay it out in place
  loam spec fmt --check *.spec           for CI: name the files that are not laid out so, and exit with 1 if there are any
  loam spec fmt - < my.spec              for editors: from standard input to standard output`;

/** `loam spec fmt`: the layout of spec files. */
export const specFormatCommand = (cli: CliContext): Command =>
  new Command('fmt')
    .description('lay specs out in the standard way; comments stay where they are')
    .argument('<files...>', 'spec files; - is standard input')
    .option('-w, --write', 'write what changes back into the files instead of printing it')
    .addOption(
      new Option('-c, --check', 'only name the files that would change, and exit with 1').conflicts([
        'write',
        'compact',
      ]),
    )
    .addOption(new Option('--compact', 'the form for machines: one line, without comments').conflicts('write'))
    .addHelpText('after', help)
    .action((files: string[], options: FormatOptions) => formatFiles(cli, files, options));

/** A file that cannot be formatted is told about and does not keep the others from it. */
async function formatFiles(cli: CliContext, files: readonly string[], options: FormatOptions): Promise<void> {
  for (const file of files) {
    try {
      await formatFile(cli, file, options);
    } catch (error) {
      if (files.length === 1 || !isLoamError(error)) throw error;
      fail(cli);
      cli.io.err(formatError(error, cli.errorStyle()));
    }
  }
}

async function formatFile(cli: CliContext, file: string, { write, check, compact }: FormatOptions): Promise<void> {
  if (write && file === '-') {
    throw LoamError.of('cli.file-unwritable', { path: '-', reason: 'it is standard input' });
  }
  const source = await readSpecText(cli, file);
  const text = compact ? compactText(cli, source) : formattedText(cli, source);
  if (write) {
    if (text !== source.text) await rewriteFile(resolve(cli.io.cwd, file), encodeText(text));
  } else if (!check) await cli.io.out(encodeText(text));
  else if (text !== source.text) {
    fail(cli);
    await cli.line(source.name);
  }
}

/** `loam spec fmt --check *.spec | head -1` fails as well, although nobody reads to the end. */
function fail(cli: CliContext): void {
  cli.exitCode = exitCodes.failure;
  cli.io.setExitCodeWithoutReader(exitCodes.failure);
}

function compactText(cli: CliContext, source: SpecText): string {
  return `${printSpecMachine(parseSpec(source.text).spec ?? requireSpec(cli, source))}\n`;
}

/** What is no valid spec yet has a layout too, as long as its parentheses match. */
function formattedText(cli: CliContext, source: SpecText): string {
  const text = formatSpec(source.text);
  if (text !== undefined) return text;
  requireSpec(cli, source);
  throw new TypeError('A text that cannot be read was taken for a spec.');
}
