import { Command, Option } from 'commander';

import { checkSpec, dockerfileLosses, encodeText, parseSpec, toDockerfile } from '@loam/spec';

import { formatDiagnostics, readSpecText, requireSpec, type SpecText } from '../build/spec-file.ts';
import type { CliContext } from '../context.ts';
import { exitCodes } from '../exit-code.ts';
import type { CommandFactory } from './command.ts';
import { specFormatCommand } from './spec-format.ts';

/** `loam spec check|fmt|dockerfile`: what can be done with a spec without a farm. */
export const specCommand: CommandFactory = (cli) => {
  const spec = new Command('spec').description('check, format and convert specs; needs no farm');

  spec
    .command('check')
    .description('say what is wrong with a spec; exits with 1 when it has errors')
    .argument('<files...>', 'spec files; - is standard input')
    .option('--json', 'one JSON value with all findings')
    .action((files: string[], options: { json?: boolean }) => check(cli, files, options.json === true));

  spec.addCommand(specFormatCommand(cli));

  spec
    .command('dockerfile')
    .description('print a Dockerfile that does what the spec does')
    .argument('<file>', 'spec file; - is standard input')
    .option('--buildkit', 'use BuildKit syntax: caches, secrets, here-documents')
    .addOption(new Option('--platform <os>', 'what it is for').choices(['unix', 'windows']).default('unix'))
    .action((file: string, options: { buildkit?: boolean; platform: 'unix' | 'windows' }) =>
      dockerfile(cli, file, { buildkit: options.buildkit === true, platform: options.platform }),
    );

  return spec;
};

async function check(cli: CliContext, files: readonly string[], json: boolean): Promise<void> {
  const sources: SpecText[] = [];
  for (const file of files) sources.push(await readSpecText(cli, file));
  const found = sources.map((source) => ({ file: source.name, diagnostics: checkSpec(source.text).diagnostics }));
  const all = found.flatMap((item) => item.diagnostics);
  const errors = all.filter((item) => item.severity === 'error').length;
  cli.exitCode = errors > 0 ? exitCodes.failure : exitCodes.success;
  // `loam spec check FILE | head -1` fails as well, although nobody reads to the end.
  cli.io.setExitCodeWithoutReader(cli.exitCode);
  if (json) {
    await cli.json({ ok: errors === 0, files: found });
    return;
  }
  for (const [i, source] of sources.entries()) {
    await cli.io.out(formatDiagnostics(cli, source, found[i]?.diagnostics ?? []));
  }
  if (all.length > 0) await cli.line(count(errors, all.length - errors));
}

function count(errors: number, warnings: number): string {
  const of = (number: number, word: string): string => `${number} ${word}${number === 1 ? '' : 's'}`;
  return `${of(errors, 'error')}, ${of(warnings, 'warning')}`;
}

async function dockerfile(
  cli: CliContext,
  file: string,
  options: { buildkit: boolean; platform: 'unix' | 'windows' },
): Promise<void> {
  const source = await readSpecText(cli, file);
  const spec = parse(cli, source);
  cli.io.err(formatDiagnostics(cli, source, dockerfileLosses(spec, options)));
  await cli.io.out(encodeText(toDockerfile(spec, options)));
}

/** The spec of a file whose advice nobody asked for. */
function parse(cli: CliContext, source: SpecText) {
  return parseSpec(source.text).spec ?? requireSpec(cli, source);
}
