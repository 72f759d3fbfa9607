import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { LoamError } from '@loam/base';

import type { ConflistDocument } from '../../cni/conflist.ts';

/**
 * The network that a directory of CNI configurations describes: the first file by name, as go-cni takes one (reference §6.3).
 * A `.conf` or `.json` of a single plugin is a chain of one. Undefined when there is no such file.
 *
 * @throws LoamError `backend.cni-conf-invalid`
 */
export async function readConflist(directory: string): Promise<ConflistDocument | undefined> {
  const names = await readdir(directory).catch(() => []);
  const name = names.filter((each) => /\.(?:conf|conflist|json)$/i.test(each)).toSorted()[0];
  if (name === undefined) return undefined;
  const file = join(directory, name);
  const invalid = (reason: string, cause?: unknown): LoamError =>
    LoamError.of('backend.cni-conf-invalid', { file, reason }, { cause });
  let json: unknown;
  try {
    // PowerShell 5 writes a byte order mark.
    json = JSON.parse((await readFile(file, 'utf8')).replace(/^\uFEFF/, ''));
  } catch (error) {
    throw invalid('it is not JSON', error);
  }
  // Whatever JSON it is: nothing but an object has these.
  const document = Object(json) as Partial<ConflistDocument> & { readonly type?: string };
  if (typeof document.name !== 'string') throw invalid('it has no name');
  const cniVersion = typeof document.cniVersion === 'string' ? document.cniVersion : '0.2.0';
  const plugins = document.plugins ?? (document.type === undefined ? [] : [document as ConflistDocument['plugins'][0]]);
  if (!Array.isArray(plugins) || plugins.length === 0) throw invalid('it names no plugin');
  if (!plugins.every((plugin) => isProgramName((plugin as { type?: unknown } | null)?.type)))
    throw invalid('the type of a plugin is no program name');
  return { cniVersion, name: document.name, plugins };
}

/** A type is a file's name in the plugins' directory and must not lead out of it. */
function isProgramName(type: unknown): boolean {
  return typeof type === 'string' && /^[A-Za-z0-9][\w.-]*$/.test(type);
}
