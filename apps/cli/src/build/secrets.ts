import { resolve } from 'node:path';

import { LoamError } from '@loam/base';
import type { SecretInput } from '@loam/contracts';

import { readInput } from '../user-file.ts';

/** Reads `id:FILE` (the file's content is the value) and `id=NAME` (a secret that the farm keeps). */
export async function readSecrets(texts: readonly string[], cwd: string): Promise<SecretInput[]> {
  return await Promise.all(texts.map((text) => readSecret(text, cwd)));
}

async function readSecret(text: string, cwd: string): Promise<SecretInput> {
  // The first of the two decides: names have neither, and a Windows path has a colon of its own.
  const match = /^([^:=]+)([:=])(.+)$/s.exec(text);
  const [, id, separator, rest] = match ?? [];
  if (id === undefined || rest === undefined)
    throw LoamError.of('cli.bad-secret', { text: text.split(/[:=]/)[0] ?? '' });
  if (separator === '=') return { id, name: rest };
  return { id, value: (await readInput(resolve(cwd, rest))).toString('base64') };
}
