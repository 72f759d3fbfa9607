import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';

import { LoamError, systemClock } from '@loam/base';
import { openLocalContext, type ContextFile, type ContextSource } from '@loam/context';
import type { Client, SecretInput } from '@loam/contracts';
import type { Spec } from '@loam/spec';

import type { CliContext } from '../context.ts';
import { formatBytes } from '../output/format.ts';
import { readSecrets } from './secrets.ts';
import { readSpecText, requireSpec } from './spec-file.ts';
import { digestIndexPath } from '../settings.ts';
import { copiesFromContext, readContext, uploadBlobs, type SpecContext } from './upload.ts';

/** The options that `build` and `plan` share. */
export interface PrepareOptions {
  readonly file: string;
  readonly secret?: readonly string[];
  readonly json?: boolean;
}

/** A build as far as it can be known on this machine: checked, with the files that its copies name. */
export interface PreparedBuild {
  readonly text: string;
  readonly secrets: SecretInput[];
  /** Digest of the manifest at the farm, and what the farm lacks; undefined when nothing is copied from the project. */
  readonly context: { digest: string; missing: ContextFile[]; source: ContextSource } | undefined;
}

/** Reads the spec and the project and lets the farm know the project's manifest. No file is sent yet. */
export async function prepareBuild(
  cli: CliContext,
  client: Client,
  folder: string,
  options: PrepareOptions,
): Promise<PreparedBuild> {
  const secrets = await readSecrets(options.secret ?? [], cli.io.cwd);
  const source = await readSpecText(cli, options.file);
  // A plan is asked for without secrets.
  const spec = requireSpec(cli, source, options.secret && secrets.map((secret) => secret.id));
  return { text: source.text, secrets, context: await prepareContext(cli, client, spec, folder) };
}

async function prepareContext(
  cli: CliContext,
  client: Client,
  spec: Spec,
  folder: string,
): Promise<PreparedBuild['context']> {
  const directory = resolve(cli.io.cwd, folder);
  // Also where nothing is copied from it: who names a folder that is not there has made a slip.
  const isDirectory = await stat(directory).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isDirectory) throw LoamError.of('context.directory-missing', { directory });
  if (copiesFromContext(spec).length === 0) return undefined;
  const source = openLocalContext(directory, { indexFile: digestIndexPath(directory, cli.io), clock: systemClock });
  const context = await readContext(spec, source);
  const receipt = await client.putContext(context.manifest);
  return { digest: receipt.digest, missing: receipt.missing.map((digest) => fileOf(context, digest)), source };
}

function fileOf(context: SpecContext, digest: string): ContextFile {
  const file = context.files.get(digest);
  if (!file)
    throw LoamError.of('general.internal', {}, { internal: `the farm asks for ${digest}, which nobody offered` });
  return file;
}

/** Sends what the farm lacks of the project, with progress on standard error. */
export async function sendContext(
  cli: CliContext,
  client: Client,
  prepared: PreparedBuild,
  quiet: boolean,
): Promise<void> {
  const { context } = prepared;
  if (!context || context.missing.length === 0) return;
  const total = context.missing.reduce((sum, file) => sum + file.sizeBytes, 0);
  const style = cli.style();
  const what = `${context.missing.length} file${context.missing.length === 1 ? '' : 's'}, ${formatBytes(total)}`;
  const redraws = cli.io.stdoutIsTerminal && !quiet;
  await uploadBlobs(client, context.source, context.missing, ({ blobs, bytes }) => {
    if (redraws) cli.io.err(`\r\u001b[K${style.dim(`sending ${blobs}/${what} (${formatBytes(bytes)} sent)`)}`);
  });
  if (!quiet) cli.io.err(`${redraws ? '\r\u001b[K' : ''}${style.dim(`sent ${what}`)}\n`);
}
